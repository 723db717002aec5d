"""The numbers of a report are those of `stats`, and its words follow from the declared rule."""

import math
import shlex
from pathlib import Path

import numpy as np
import pytest

from mnist_seq.report.build import build
from mnist_seq.report.options import Options
from mnist_seq.report.read.collect import collect
from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.sections.learning_curves import LearningCurves
from mnist_seq.report.value import Report
from mnist_seq.stats import Rule, judge, paired_comparison, welch_comparison
from tests.report.sweeps import DEFAULTS, report_of, write_run


def values(report: Report, name: str) -> np.ndarray:
    """A variant's accuracies in percent, by seed."""
    key = next(v.key for v in report.variants if v.name == name)
    return np.array([run.value for run in report.runs if run.variant == key])


def test_numbers_are_those_of_the_statistics(grid: Path) -> None:
    """The report adds nothing of its own to what tests/stats has proved."""
    report = report_of(grid, margin=0.1)
    names = {v.key: v.name for v in report.variants}
    family = []
    for v in report.variants:
        if not v.is_baseline:
            a, b = values(report, v.name), values(report, names[v.baseline])  # type: ignore[index]
            family.append((v, paired_comparison(a, b)))
    judged = judge([c for _, c in family], Rule(margin=0.1, unit="points"))
    assert len(family) == 4
    for (v, c), verdict in zip(family, judged, strict=True):
        assert v.compared is not None
        assert v.compared.comparison == c
        assert v.compared.verdict == verdict
        assert v.word == verdict.word


def test_each_cell_is_compared_with_the_lstm_of_its_width(grid: Path) -> None:
    report = report_of(grid)
    assert [(v.name, v.baseline_name) for v in report.variants] == [
        (f"{cell}, hidden={hidden}", f"lstm, hidden={hidden}")
        for hidden in (32, 64)
        for cell in ("lstm", "gru", "rnn")
    ]
    assert [v.word for v in report.variants] == ["baseline", "better", "worse"] * 2
    assert report.headline == (
        "The GRU is 0.39 to 0.44 points better than the LSTM. The RNN is 4.95 to 5.00 points "
        "worse than the LSTM."
    )


def test_a_baseline_set_by_hand_serves_every_variant(grid: Path) -> None:
    report = report_of(grid, baseline="model=rnn model.hidden=32")
    assert {v.baseline_name for v in report.variants} == {"rnn, hidden=32"}
    with pytest.raises(CannotCompare, match=r"is 2 of them: lstm, hidden=32, lstm, hidden=64"):
        report_of(grid, baseline="model=lstm")
    with pytest.raises(CannotCompare, match=r"none of them.*model=choice\(mgu\)' seed=0,1,2,3,4"):
        report_of(grid, baseline="model=mgu")


def test_a_pair_is_never_dropped_silently(tmp_path: Path) -> None:
    """n=3 of 5 pairs, and why the others are none."""
    for seed in range(5):
        write_run(tmp_path / "s", "lstm", seed=seed, accuracy=0.9 + seed / 1000)
        state = {3: "failed", 4: "diverged"}.get(seed, "finished")
        write_run(tmp_path / "s", "gru", seed=seed, accuracy=0.91 + seed / 990, state=state)
    gru = report_of(tmp_path / "s").variants[1]
    assert gru.compared is not None
    assert gru.compared.comparison.n == 3
    assert gru.compared.pairing == (
        "paired by seed, n=3 of 5 pairs (seed 3: variant failed; seed 4: variant diverged); over "
        "these 3 pairs the means are 91.10 and 90.10 %"
    )


def test_seeds_that_do_not_pair_are_compared_by_welch_and_it_is_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for seed in range(4):
        write_run(tmp_path / "s", "lstm", seed=seed, accuracy=0.9 + rng.normal(0, 0.002))
        write_run(tmp_path / "s", "gru", seed=seed + 4, accuracy=0.92 + rng.normal(0, 0.002))
    report = report_of(tmp_path / "s")
    found = report.variants[1].compared
    want = welch_comparison(values(report, "gru"), values(report, "lstm"))
    assert found is not None
    assert not found.comparison.is_paired
    assert found.comparison == want
    assert found.pairing == (
        "Welch, n=4 and 4: seeds do not pair (0 in common; variant seeds 4-7, baseline seeds 0-3)"
    )


def test_one_seed_gives_a_mean_and_no_verdict(tmp_path: Path) -> None:
    write_run(tmp_path / "s", "lstm")
    write_run(tmp_path / "s", "gru", accuracy=0.99)
    report = report_of(tmp_path / "s")
    gru = report.variants[1]
    assert (gru.word, gru.n, gru.compared) == ("too few seeds", 1, None)
    assert math.isnan(gru.sd)
    assert report.headline == (
        "Against the LSTM: the GRU +4.00 points. One seed each: no interval and no verdict."
    )
    assert report_of(tmp_path / "s", where="model=lstm").headline == (
        "LSTM: 95.00\u202f% test accuracy with 1 seed."
    )


def test_a_sweep_of_failures_is_a_report_too(tmp_path: Path) -> None:
    """The table at a sweep's end must come also where nothing finished."""
    for seed in range(2):
        write_run(tmp_path / "s", "lstm", seed=seed, state="diverged")
        write_run(tmp_path / "s", "gru", seed=seed, state="failed")
    report = report_of(tmp_path / "s")
    assert [(v.n, v.diverged, v.failed) for v in report.variants] == [(0, 2, 0), (0, 0, 2)]
    assert repr(report) == (
        "<report of s: No run has finished with a result. 0 finished of 4 runs in 2 variants; "
        "2 diverged, 2 failed>"
    )


def test_a_missing_baseline_is_named_with_the_command_that_adds_it(tmp_path: Path) -> None:
    for cell in ("gru", "rnn"):
        for seed in range(2):
            write_run(tmp_path / "made_up", cell, 32, seed)
    report = report_of(tmp_path / "made_up")
    assert {v.word for v in report.variants} == {"no baseline"}
    assert report.headline == (
        "2 variants: mean test accuracy 95.00\u202f%. Nothing is compared: the baseline is missing."
    )
    (missing,) = report.missing
    assert (missing.what, missing.seeds) == ("baseline LSTM", (0, 1))
    words = ["model.hidden=choice(32)", "model=choice(lstm)", "seed=0,1", "sweep.baseline=none"]
    assert set(words) <= set(shlex.split(missing.command)), "named by what they differ in"
    assert " sweep.name=made_up" in missing.command


def test_a_missing_default_is_named_where_there_is_only_the_lstm(tmp_path: Path) -> None:
    for hidden in (32, 128):
        write_run(tmp_path / "s", "lstm", hidden, optimizer__lr=0.1)
    (missing,) = report_of(tmp_path / "s").missing
    assert missing.what == "baseline 64 hidden units"
    words = ["model=choice(lstm)", "optimizer.lr=choice(0.1)", "model.hidden=choice(64)", "seed=0"]
    assert set(words) <= set(shlex.split(missing.command))


def test_seeds_that_the_baseline_lacks_are_named(tmp_path: Path) -> None:
    """Failed ones may be run again; a diverged one is an outcome."""
    for seed in range(5):
        write_run(tmp_path / "s", "gru", seed=seed, accuracy=0.9 + seed / 1000)
    for seed, state in enumerate(("finished", "finished", "failed", "diverged")):
        write_run(tmp_path / "s", "lstm", seed=seed, accuracy=0.8 + seed / 1000, state=state)
    (missing,) = report_of(tmp_path / "s").missing
    assert (missing.what, missing.seeds) == ("baseline LSTM", (2, 4))
    assert "seed=2,4" in missing.command


def test_time_to_accuracy_counts_the_seeds_that_never_got_there(tmp_path: Path) -> None:
    """A median over those that did would favour a variant whose slow seeds fail."""
    for seed, accuracy in enumerate((0.99, 0.99, 0.95)):
        write_run(tmp_path / "s", seed=seed, accuracy=accuracy, num_evaluations=8)
    (lstm,) = report_of(tmp_path / "s").variants
    assert [r.text for r in lstm.reached] == ["2 of 3 reached", "2 of 3 reached"]
    assert lstm.reached[0].num_reached == 2
    assert lstm.reached[0].median == max(lstm.reached[0].times)


def test_a_run_that_diverged_at_once_has_not_reached_it_either(tmp_path: Path) -> None:
    """Where nothing was set aside to validate on, nobody can tell."""
    for seed in range(4):
        state, number = ("diverged", 0) if seed == 3 else ("finished", 8)
        write_run(tmp_path / "s", seed=seed, accuracy=0.99, state=state, num_evaluations=number)
        write_run(tmp_path / "s", "gru", seed=seed, state="diverged", num_evaluations=0)
        write_run(tmp_path / "blind", seed=seed, state="diverged", num_evaluations=0,
                  data={"num_valid": 0})  # fmt: skip
    write_run(tmp_path / "s", seed=4, num_evaluations=0)  # its metrics.jsonl was lost
    lstm, gru = report_of(tmp_path / "s").variants
    assert (lstm.reached[0].text, gru.reached[0].text) == ("3 of 4 reached", "0 of 4 reached")
    assert gru.reached[0].median == math.inf
    (blind,) = report_of(tmp_path / "blind").variants
    assert blind.reached[0].text == "no validation"


def test_mean_curves_go_no_further_than_all_runs(tmp_path: Path) -> None:
    """Beyond, a mean would be one of the survivors."""
    for seed, number in enumerate((3, 5)):
        write_run(tmp_path / "s", seed=seed, num_evaluations=number)
    report = report_of(tmp_path / "s")
    curves = LearningCurves.of(report)
    assert curves is not None
    assert [p.step for p in curves.means[0]] == [10, 20, 30]
    assert [len(curve.steps) for curve in curves.runs] == [3, 5]


def test_runs_of_different_code_are_warned_of(tmp_path: Path) -> None:
    for seed, code in enumerate("ab"):
        run = write_run(tmp_path / "s", seed=seed)
        run.update_record(code={"scheme": 2, "hash": code * 64, "is_dirty": code == "b"})
    warnings = " ".join(report_of(tmp_path / "s").warnings)
    assert "2 versions of the code: aaaaaaaaaaaa (1 run), bbbbbbbbbbbb (1 run)" in warnings
    assert "1 of 2 runs come from code with uncommitted changes" in warnings


def test_code_of_an_older_scheme_is_named(tmp_path: Path) -> None:
    """Nobody can tell whether it is the same code, so it is another one."""
    for seed in range(2):
        run = write_run(tmp_path / "s", seed=seed)
        run.update_record(code={"hash": "a" * 64, **({"scheme": 2} if seed else {})})
    warnings = " ".join(report_of(tmp_path / "s").warnings)
    assert "aaaaaaaaaaaa of an older scheme (1 run), aaaaaaaaaaaa (1 run)" in warnings


@pytest.mark.parametrize(
    ("cells", "says"),
    [("lstm gru", ""), ("gru gru", "the runs of gru come"), ("gru gru-native", "")],
)
def test_cells_and_kernels_have_code_of_their_own(tmp_path: Path, cells: str, says: str) -> None:
    """An LSTM's run does not read the GRU's file; two GRUs read the same one, if by one kernel."""
    for seed, (cell, _, kernel) in enumerate(name.partition("-") for name in cells.split()):
        run = write_run(tmp_path / "s", cell=cell, seed=seed)
        if kernel:
            run.update_record(config={**run.record()["config"], "device": {"kernel": kernel}})
        hashes = {"scheme": 2, "shared": "c" * 64, "hash": f"{seed}" * 64}
        run.update_record(code={**hashes, "is_dirty": False})
    warnings = [w for w in report_of(tmp_path / "s").warnings if "versions of the code" in w]
    assert len(warnings) == bool(says)
    assert says in "".join(warnings)


def test_the_rule_says_how_p_was_counted(tmp_path: Path) -> None:
    """10 + 10 seeds that do not pair have no signs to flip, and more splits than can be tried."""
    for seed in range(10):
        write_run(tmp_path / "s", seed=seed, accuracy=0.9 + seed / 1000)
        write_run(tmp_path / "s", "gru", seed=seed, accuracy=0.91 + seed**2 / 9000)
        write_run(tmp_path / "s", "rnn", seed=10 + seed, accuracy=0.9 + seed**2 / 9000)
    report = report_of(tmp_path / "s", test="permutation")
    _, gru, rnn = report.variants
    assert "permutation test (exact sign flips, 20,000 random splits of the seeds)" in (
        report.rule_text
    )
    assert "by exact sign flips, n=10" in gru.verdict
    assert "by 20,000 random splits of the seeds, n=10" in rnn.verdict
    assert "sign flips" not in report_of(tmp_path / "s").rule_text


def test_losses_are_better_when_lower(grid: Path) -> None:
    report = report_of(grid, metric="test/loss")
    assert report.metric.unit == "nats"
    assert [v.word for v in report.variants] == ["baseline", "better", "worse"] * 2
    with pytest.raises(CannotCompare, match=r"metric must be one of .*test/accuracy"):
        report_of(grid, metric="test/acuracy")


@pytest.mark.parametrize(
    "options", [{"margin": 0.0}, {"margin": -1.0}, {"level": 95.0}, {"alpha": 0.0}]
)
def test_an_impossible_rule_is_refused(grid: Path, options: dict[str, float]) -> None:
    with pytest.raises(CannotCompare, match=next(iter(options))):
        report_of(grid, **options)


def test_the_table_alone_has_the_same_numbers(grid: Path) -> None:
    """What ends a sweep is what the report says later."""
    whole = report_of(grid)
    table = build(collect([grid]), Options(), defaults=DEFAULTS, is_table_only=True)
    assert table.parts == {}
    assert [v.mean for v in whole.variants] == [v.mean for v in table.variants]
    assert [v.verdict for v in whole.variants] == [v.verdict for v in table.variants]
