"""A verdict that hangs on leaving out runs that diverged or failed is withheld."""

from pathlib import Path

import numpy as np
import pytest

from mnist_seq.report.columns import chosen
from mnist_seq.report.render import markdown, table_csv
from mnist_seq.report.render.figures import all_figures
from mnist_seq.report.value import Report
from mnist_seq.runs.folder import RunFolder
from mnist_seq.stats import paired_comparison
from tests.report.sweeps import LABELS, report_of, write_run
from tests.report.test_renderings import printed
from tests.report.test_tasks import VALUES, write_values

# Test accuracies of real runs: mnist_5k, 16 hidden units, 2 epochs, seeds 3 to 10
LSTM = np.array([71.3, 73.2, 66.8, 74.5, 70.5, 68.6, 69.2, 69.3])
GRU = np.array([66.1, 73.4, 66.2, 68.6, 73.1, 71.9, 71.1, 75.6])
GUESS = 100 * float(np.bincount(LABELS).max() / len(LABELS))


def write_pair(sweep: Path, states: dict[int, str], *, gru: np.ndarray = GRU) -> Path:
    """Eight LSTMs and eight GRUs, some of them by another end than "finished"."""
    for seed, (a, b) in enumerate(zip(LSTM, gru, strict=True)):
        write_run(sweep, "lstm", seed=seed, accuracy=a / 100)
        write_run(sweep, "gru", seed=seed, accuracy=b / 100, state=states.get(seed, "finished"))
    return sweep


@pytest.fixture(scope="module")
def worst_three(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The three worst GRUs of eight diverge, so the other five look better than the LSTM."""
    folder = tmp_path_factory.mktemp("sweeps") / "three"
    return report_of(write_pair(folder, dict.fromkeys((0, 2, 3), "diverged")))


def test_a_gain_that_hangs_on_diverged_runs_is_withheld(worst_three: Report) -> None:
    """Before: better, p < .05, by letting the worst runs diverge."""
    gru = worst_three.variants[1]
    assert gru.compared is not None
    assert gru.compared.second is not None
    second = gru.compared.second
    assert (gru.word, second.first, second.word) == ("withheld", "better", "not distinguishable")
    filled = np.where(np.isin(np.arange(8), (0, 2, 3)), GUESS, GRU)
    again = paired_comparison(filled, LSTM)
    assert second.difference == pytest.approx(again.difference)
    assert second.p_adjusted == pytest.approx(again.p_t)
    assert gru.compared.verdict.needed_seeds is None
    assert gru.p_diverged == pytest.approx(0.2)


def test_headline_and_row_name_the_runs_that_trained(worst_three: Report) -> None:
    """Whoever quotes one line must quote that three of eight are missing in it."""
    assert worst_three.headline == (
        "No verdict on the GRU: better among the 5 of 8 runs that trained, undecided where the "
        "others count as a guess."
    )
    assert "13 finished of 16 runs in 2 variants; 3 diverged" in repr(worst_three)
    (column,) = chosen(worst_three, ["verdict"])
    assert column.written(worst_three.variants[1]) == "withheld, 5 of 8 trained"
    for text in (printed(worst_three, 200), markdown.render(worst_three)):
        assert "where the 3 that diverged count as a guess" in text
        assert (
            "3 of 8 diverged, of the baseline 0 of 8 (Fisher's exact test, p=0.2 Holm over 1)"
            in text
        )
    header, _, row = table_csv.render(worst_three).splitlines()[:3]
    assert {"p_diverged", "verdict_trained", "verdict_counted", "p_counted"} < set(
        header.split(",")
    )
    assert ",withheld," in row


def test_a_front_of_means_says_whose_runs_are_missing(worst_three: Report) -> None:
    (figure,) = [f for f in all_figures(worst_three) if f.name == "costs"]
    assert "Means are of the runs that trained: GRU 5 of 8." in figure.caption


def test_a_clear_loss_stays_one_and_a_mean_of_two_advises_no_seeds(tmp_path: Path) -> None:
    """One guess scatters the differences, but the loss does not hang on leaving it out."""
    worse = report_of(write_pair(tmp_path / "a", {1: "diverged"}, gru=LSTM - 5 + GRU / 50))
    assert worse.variants[1].word == "worse"
    assert (
        "worse among the 7 of 8 that trained, further apart, but more scattered, where the 1"
        in (worse.variants[1].verdict)
    )
    assert worse.headline == "The GRU is 3.59 points worse than the LSTM."
    few = report_of(write_pair(tmp_path / "b", dict.fromkeys((0, 1, 2, 3, 5, 6), "diverged")))
    assert few.variants[1].word == "withheld"
    assert "more seeds" not in few.variants[1].verdict


@pytest.mark.parametrize("state", ["diverged", "failed"])
def test_no_run_that_trained_is_no_comparison_and_says_why(tmp_path: Path, state: str) -> None:
    report = report_of(write_pair(tmp_path / "s", dict.fromkeys(range(8), state)))
    gru = report.variants[1]
    assert (gru.word, gru.compared) == ("too few seeds", None)
    assert f"worse where the 8 that {state} count as a guess" in gru.verdict
    assert f"8 finished of 16 runs in 2 variants; 8 {state}" in repr(report)


def test_without_the_value_of_a_guess_nothing_is_called_better(tmp_path: Path) -> None:
    """The second reading cannot be made, so it cannot agree."""
    for seed in range(4):
        for cell, noise in (("lstm", 1.0), ("gru", 0.5)):
            state = "diverged" if (cell, seed) == ("gru", 3) else "finished"
            write_values(tmp_path / "s", cell, seed, noise + seed / 100, state=state)
            run = RunFolder(tmp_path / "s" / f"model={cell},model.hidden=64,seed={seed}")
            run.update_record(task={**VALUES, "guess": {"mse": 4.0}})
            if state == "finished":  # no constant difference, which would be tested by sign flips
                metrics = {"test/mse": noise, "test/mae": noise + 0.01 * seed**2 * len(cell)}
                run.write_result(**run.result() | {"metrics": metrics})
    known, unknown = (report_of(tmp_path / "s", metric=f"test/{m}") for m in ("mse", "mae"))
    assert known.variants[1].compared is not None
    assert known.variants[1].compared.second is not None
    assert unknown.variants[1].word == "withheld"
    assert "nobody knows what a guess has" in unknown.variants[1].verdict
