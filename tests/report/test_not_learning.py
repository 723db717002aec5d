"""Runs that finish and are not shown to learn are named, and stay in the means."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from mnist_seq.report.columns import chosen
from mnist_seq.report.render import markdown, table_csv
from mnist_seq.report.render.html import render
from mnist_seq.report.value import Report
from mnist_seq.runs.events import BY_ACCURACY
from tests.report.sweeps import LABELS, report_of, write_run
from tests.report.test_renderings import printed, text_of

MOST_FREQUENT = np.bincount(LABELS).max() / len(LABELS)  # what a guess gets of these labels


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Of four seeds of the GRU one never leaves chance, and one diverges."""
    sweep = tmp_path_factory.mktemp("sweeps") / "stuck"
    for seed in range(4):
        write_run(sweep, "lstm", seed=seed, accuracy=0.9 + seed / 1000)
        run = write_run(sweep, "gru", seed=seed, accuracy=0.95 + seed / 900,
                        state="diverged" if seed == 2 else "finished",
                        num_evaluations=0 if seed == 1 else 5)  # fmt: skip
        if seed == 1:
            for step in (10, 20):
                row = {"step": step, "seconds": step / 20, "valid/accuracy": MOST_FREQUENT - 0.01}
                run.append_metrics(row)
            result = run.result()
            run.write_result(**result | {"metrics": {**result["metrics"], "test/accuracy": 0.1}})
    return report_of(sweep)


def test_a_stuck_run_is_counted_beside_its_state(report: Report) -> None:
    lstm, gru = report.variants
    assert (gru.n, gru.diverged, gru.not_learning, lstm.not_learning) == (3, 1, 1, 0)
    outcomes = {run.seed: run.outcome for run in report.runs if run.variant == gru.key}
    assert outcomes == {
        0: "finished",
        1: "finished, not shown to learn",
        2: "diverged",
        3: "finished",
    }


def test_the_mean_keeps_it(report: Report) -> None:
    """Dropped, a cell that fails now and then would look like one that never does."""
    gru = report.variants[1]
    assert gru.mean == pytest.approx(100 * (0.95 + 0.1 + 0.95 + 3 / 900) / 3)
    assert gru.seeds == (0, 1, 3)


def test_it_is_said_in_every_rendering(report: Report) -> None:
    assert report.warnings[0] == (
        "1 of 7 runs is not shown to learn, since neither valid nor test is clearly better than a "
        "guess; the means count them: GRU 1 of 3"
    )
    (column,) = chosen(report, ["n"])
    assert column.written(report.variants[1]) == "3 of 4, 1 diverged, 1 not shown to learn"
    rows = list(csv.DictReader(io.StringIO(table_csv.render(report))))
    assert [row["not_learning"] for row in rows] == ["0", "1"]
    assert "GRU: n=3 of 4, 1 diverged, 1 not shown to learn\n" in printed(report, 200)
    why = f"a guess has {100 * MOST_FREQUENT:.2f} %"
    page = text_of(render(report))
    for text in (printed(report, 200), markdown.render(report), page):
        for part in (
            report.warnings[0],
            "finished, not shown to learn",
            why,
            "1 not shown to learn",
        ):
            assert part in text


def test_no_seeds_are_advised_where_no_run_learns(tmp_path: Path) -> None:
    for cell in ("lstm", "gru"):
        for seed in range(3):
            accuracy = float(MOST_FREQUENT) - (0.01 if cell == "gru" else 0.012) * seed
            run = write_run(tmp_path / "s", cell, seed=seed, num_evaluations=0,
                            data={"num_valid": 0})  # fmt: skip
            run.write_result(**run.result() | {"metrics": {"test/accuracy": accuracy}})
    gru = report_of(tmp_path / "s").variants[1]
    assert (gru.word, gru.not_learning) == ("not distinguishable", 3)
    assert "no run of either side is shown to learn" in gru.verdict
    assert "typical runs" not in gru.verdict


def test_without_validation_the_test_set_tells(tmp_path: Path) -> None:
    """And a little learning is learning: 25 % of 400 images is no luck."""
    for seed, accuracy in enumerate((float(MOST_FREQUENT), 0.25)):
        run = write_run(tmp_path / "s", seed=seed, num_evaluations=0, data={"num_valid": 0})
        run.write_result(**run.result() | {"metrics": {"test/accuracy": accuracy}})
    report = report_of(tmp_path / "s")
    assert [run.is_learning for run in report.runs] == [False, True]
    assert "test accuracy" in report.runs[0].reason


def test_more_looks_need_more_than_one_lucky_one(tmp_path: Path) -> None:
    """At a best of 40 % of 20 images: one look is learning, a hundred are a hundred guesses."""
    for seed, looks in enumerate((1, 100)):
        run = write_run(tmp_path / "s", seed=seed, num_evaluations=0, data={"num_valid": 20})
        run.write_result(**run.result() | {"metrics": {"test/accuracy": 0.1}})
        for step in range(1, looks + 1):
            accuracy = 0.4 if step == 1 else 0.1
            run.append_metrics({"step": step, "seconds": 1.0, "valid/accuracy": accuracy})
    assert [run.is_learning for run in report_of(tmp_path / "s").runs] == [True, False]


def test_a_plateau_of_the_task_is_no_learning(tmp_path: Path) -> None:
    """Half right by the values that occurred, without a look at the keys: far above a guess."""
    for seed, accuracy in enumerate((0.52, 0.9)):
        run = write_run(tmp_path / "recall", seed=seed, accuracy=accuracy)
        guess = {"accuracy": 0.1, "loss": 2.3}
        plateaus = {"one of the values that occurred": 0.5}
        run.update_record(task={**BY_ACCURACY, "guess": guess, "plateaus": plateaus})
    stuck, learning = report_of(tmp_path / "recall").runs
    assert stuck.outcome == "finished, not shown to learn"
    assert "one of the values that occurred has 50.00 %" in stuck.reason
    assert learning.outcome == "finished"


def test_a_test_set_that_shows_learning_outweighs_a_small_valid_set(tmp_path: Path) -> None:
    """14.9 % of 1,000 test images is no guess, whatever 50 valid images say."""
    for seed, accuracy in enumerate((0.149, 0.105)):
        data = {"num_valid": 50, "num_test": 1000}
        run = write_run(tmp_path / "s", seed=seed, num_evaluations=0, data=data)
        run.append_metrics({"step": 1, "seconds": 1.0, "valid/accuracy": 0.12})
        run.write_result(**run.result() | {"metrics": {"test/accuracy": accuracy}})
        run.update_record(task={**BY_ACCURACY, "guess": {"accuracy": 0.1}})
    rows = report_of(tmp_path / "s").runs
    assert [row.is_learning for row in rows] == [True, False]
    assert "best valid accuracy 12.00 % of n=50 and test accuracy 10.50 % of n=1,000" in (
        rows[1].reason
    )


def test_a_verdict_with_such_runs_speaks_of_typical_runs(report: Report) -> None:
    verdict = report.variants[1].verdict
    assert "this speaks of typical runs: of those that finished, 1 of the variant is not" in verdict
