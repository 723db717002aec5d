"""Tuned values are chosen on validation, and whoever tuned less is named."""

import csv
import html
import io
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.render import markdown, table_csv
from mnist_seq.report.render.html import render
from mnist_seq.report.sections.settings import Settings
from mnist_seq.report.value import Choice, Report
from tests.report.sweeps import report_of, write_run
from tests.report.test_renderings import printed, text_of

# valid at each learning rate, by hand: the LSTM's best is 0.01, the GRU's 0.1
VALID = {"lstm": {0.001: 0.90, 0.01: 0.95, 0.1: 0.80}, "gru": {0.001: 0.91, 0.01: 0.92, 0.1: 0.96}}
OVER = ("optimizer.lr",)


def write(
    sweep: Path, cell: str, lr: float, seed: int, *, valid: float, test: float = 0.5, **changes: Any
) -> None:
    """A run whose accuracy on valid and on test are told apart."""
    run = write_run(sweep, cell, seed=seed, accuracy=valid, optimizer__lr=lr, **changes)
    if changes.get("state", "finished") == "finished":
        result = run.result()
        run.write_result(**result | {"metrics": {**result["metrics"], "test/accuracy": test}})


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both cells at three learning rates, three seeds; on test the worst on valid is the best."""
    sweep = tmp_path_factory.mktemp("sweeps") / "lrs"
    for cell, by_lr in VALID.items():
        for lr, valid in by_lr.items():
            for seed in range(3):
                noise = seed / 1000
                write(sweep, cell, lr, seed, valid=valid + noise, test=1.7 - valid + noise * lr)
    return sweep


@pytest.fixture(scope="module")
def report(grid: Path) -> Report:
    return report_of(grid, over=OVER)


def choice_of(report: Report, place: int) -> Choice:
    found = report.variants[place].choice
    assert found is not None
    return found


def test_each_variant_is_reported_at_its_own_best_on_valid(report: Report) -> None:
    """The baseline too; and test, which prefers other values here, has no say."""
    assert [(v.name, v.baseline_name, v.n) for v in report.variants] == [
        ("lstm", "lstm", 3), ("gru", "lstm", 3),
    ]  # fmt: skip
    lstm, gru = choice_of(report, 0), choice_of(report, 1)
    assert (lstm.settings, gru.settings) == ({"optimizer.lr": "0.01"}, {"optimizer.lr": "0.1"})
    assert (lstm.num_tried, lstm.n, lstm.text) == (3, 3, "lr=0.01 of 3")
    assert lstm.value == pytest.approx(95.1)
    assert lstm.runner_up == pytest.approx(90.1)
    assert [v.mean for v in report.variants] == pytest.approx([75.001, 74.01])
    assert lstm.remarks == ()
    assert gru.remarks == ("0.1 is the largest optimizer.lr tried",)
    assert "validation only" in report.notes[0]
    assert "12 runs at other values" in report.notes[0]
    assert ("optimizer.lr", ("0.01", "0.1")) in Settings.of(report).differing.items()  # type: ignore[union-attr]


def test_a_loss_is_best_where_it_is_lowest(tmp_path: Path) -> None:
    for lr, loss in ((0.01, 0.5), (0.1, 0.2)):
        run = write_run(tmp_path / "s", "lstm", optimizer__lr=lr)
        run.write_result(**run.result() | {"metrics": {"valid/loss": loss, "test/accuracy": 0.9}})
    found = report_of(tmp_path / "s", over=OVER, select="valid/loss")
    assert choice_of(found, 0).settings == {"optimizer.lr": "0.1"}


def test_several_keys_are_chosen_together(tmp_path: Path) -> None:
    """The best pair is no pair of the bests: 0.1 alone and 64 alone do better on average."""
    table = {(0.01, 32): 0.97, (0.1, 32): 0.80, (0.01, 64): 0.70, (0.1, 64): 0.96}
    for (lr, size), valid in table.items():
        write(tmp_path / "s", "lstm", lr, 0, valid=valid, training__batch_size=size)
    found = report_of(tmp_path / "s", over=("optimizer.lr", "training.batch_size"))
    (variant,) = found.variants
    assert variant.choice is not None
    assert variant.choice.text == "lr=0.01, batch_size=32 of 4"


def test_ties_go_to_the_smaller_value_and_are_named(tmp_path: Path) -> None:
    for lr in (0.1, 0.01):
        write(tmp_path / "s", "lstm", lr, 0, valid=0.9)
    found = choice_of(report_of(tmp_path / "s", over=OVER), 0)
    assert found.settings == {"optimizer.lr": "0.01"}
    assert found.remarks == ("equal on valid accuracy to lr=0.1; the smaller value counts",)


def test_unequal_seeds_do_not_compete_and_are_named(tmp_path: Path) -> None:
    """One lucky seed is no better learning rate."""
    for seed in range(3):
        write(tmp_path / "s", "lstm", 0.01, seed, valid=0.9)
    write(tmp_path / "s", "lstm", 0.1, 0, valid=0.99)
    write(tmp_path / "s", "lstm", 0.1, 1, valid=0.99, state="interrupted")
    report = report_of(tmp_path / "s", over=OVER)
    found = choice_of(report, 0)
    assert (found.settings, found.num_tried) == ({"optimizer.lr": "0.01"}, 2)
    assert report.warnings[0] == (
        "unequal seeds in the choice for LSTM: lr=0.1 has 1 of the 3 seeds that others have, and "
        "did not compete"
    )
    (missing,) = report.missing
    assert (missing.what, missing.seeds) == ("LSTM at lr=0.1", (1, 2))
    assert "'optimizer.lr=choice(0.1)' seed=1,2" in missing.command


def test_one_run_that_served_the_choice_is_one_run(tmp_path: Path) -> None:
    write(tmp_path / "s", "lstm", 0.01, 0, valid=0.9)
    write(tmp_path / "s", "lstm", 0.1, 0, valid=0.8)
    (note,) = report_of(tmp_path / "s", over=OVER).notes
    assert note.endswith("1 run at other values served the choice")


def test_a_diverged_seed_counts_as_a_guess(tmp_path: Path) -> None:
    """Left out, 0.1 would win with the one seed that survived."""
    for seed in range(2):
        write(tmp_path / "s", "lstm", 0.01, seed, valid=0.6)
    write(tmp_path / "s", "lstm", 0.1, 0, valid=0.99)
    write(tmp_path / "s", "lstm", 0.1, 1, valid=0.99, state="diverged")
    report = report_of(tmp_path / "s", over=OVER)
    assert choice_of(report, 0).settings == {"optimizer.lr": "0.01"}
    assert report.notes[0].endswith("2 runs at other values served the choice (1 diverged)")
    assert not any("unequal seeds" in warning for warning in report.warnings)


def test_a_group_means_all_its_keys(tmp_path: Path) -> None:
    for name, lr, valid in (("adam", 0.01, 0.9), ("sgd", 0.5, 0.95), ("sgd", 0.1, 0.8)):
        write(tmp_path / "s", "lstm", lr, 0, valid=valid, optimizer__name=name)
    report = report_of(tmp_path / "s", over=("optimizer",))
    assert choice_of(report, 0).text == "name=sgd, lr=0.5 of 3"


def test_where_nothing_varies_nothing_is_chosen(grid: Path) -> None:
    """ "The only one of 1", variant by variant, is no news."""
    report = report_of(grid, over=("model.hidden",))
    assert report.notes == ("nothing was chosen: over=model.hidden does not vary",)
    assert report.selector is None
    assert report.variants == report_of(grid).variants


def test_a_missing_baseline_is_asked_for_at_all_values(tmp_path: Path) -> None:
    for lr in (0.01, 0.1):
        write(tmp_path / "s", "gru", lr, 0, valid=0.9)
    (missing,) = report_of(tmp_path / "s", over=OVER).missing
    assert "'model=choice(lstm)' 'optimizer.lr=choice(0.01,0.1)'" in missing.command
    assert missing.command.count("optimizer.lr") == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"select": "test/accuracy"}, "select must be one of .*leaves nothing to report"),
        ({"select": "train/loss"}, "select must be one of valid/accuracy, valid/loss"),
        ({"select": "valid/loss", "over": OVER}, "no finished run has it"),
        ({"over": ("nothing",)}, "those that differ are model.name, optimizer.lr"),
        ({"over": ("lr",)}, r"over=lr; did you mean optimizer\.lr\?"),
        ({"over": ("model",)}, "what is tuned, not what is compared"),
        ({"over": OVER, "baseline": "model=lstm optimizer.lr=0.1"}, "leave it out"),
    ],
)
def test_an_impossible_choice_is_refused(grid: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(CannotCompare, match=says):
        report_of(grid, **options)


def test_every_rendering_tells_the_choice(report: Report) -> None:
    (_, gru) = csv.DictReader(io.StringIO(table_csv.render(report)))
    assert (gru["chosen"], gru["num_tried"], gru["chosen_by"]) == (
        "lr=0.1 of 3", "3", "valid/accuracy",
    )  # fmt: skip
    assert float(gru["chosen_value"]) == pytest.approx(96.1)
    page = html.unescape(render(report))
    for text in (printed(report, 200), markdown.render(report), page):
        for part in ("lr=0.1 of 3", "96.10", "the largest optimizer.lr tried", "validation only"):
            assert part in text


@pytest.mark.parametrize("over", [(), OVER])
def test_unequal_tuning_budgets_are_named_in_every_rendering(
    tmp_path: Path, over: tuple[str, ...]
) -> None:
    """With a choice and without one: three tries find more than one."""
    for cell, lrs in (("lstm", (0.01, 0.1, 1.0)), ("gru", (0.01, 0.1, 1.0)), ("rnn", (0.01,))):
        for lr in lrs:
            write(tmp_path / "s", cell, lr, 0, valid=0.9)
    write(tmp_path / "s", "rnn", 0.1, 0, valid=0.9, state="failed")
    report = report_of(tmp_path / "s", over=over)
    want = "unequal tuning budgets, values of optimizer.lr tried: 3 (GRU; LSTM), 1 (RNN)"
    assert report.warnings[0] == want
    page = text_of(render(report))
    for text in (printed(report, 200), markdown.render(report), page):
        assert report.warnings[0][1:] in text


def test_equal_budgets_and_what_an_optimizer_implies_are_no_warning(
    grid: Path, tmp_path: Path
) -> None:
    assert report_of(grid).warnings == report_of(grid, over=OVER).warnings == ()
    for name, lr in (("adam", 0.01), ("sgd", 0.1)):
        write(tmp_path / "s", "lstm", lr, 0, valid=0.9, optimizer__name=name)
    write(tmp_path / "s", "gru", 0.01, 0, valid=0.9)
    assert report_of(tmp_path / "s").warnings == ()
