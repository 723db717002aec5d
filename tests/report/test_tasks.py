"""A comparison takes direction, unit, scale and guess from the task that the runs name."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.render import markdown, table_csv
from mnist_seq.report.render.html import render
from mnist_seq.report.sections.learning_curves import LearningCurves
from tests.report.sweeps import report_of, write_run
from tests.report.test_renderings import printed

TARGETS = np.random.default_rng(0).normal(3, 2, (200, 1)).astype(np.float32)
GUESS = float(TARGETS.astype(np.float64).var())
SHARE = {"higher_is_better": True, "unit": "%", "points": "points", "scale": 100.0, "decimals": 2}
VALUES: dict[str, Any] = {
    "name": "adding", "output": "value", "num_outputs": 1, "per_step": False, "time_steps": 50,
    "input_size": 2, "main": "mse",
    "metrics": {
        "mse": {"higher_is_better": False, "unit": "", "points": "", "scale": 1.0, "decimals": 4},
        "mae": {"higher_is_better": False, "unit": "m", "points": "m", "scale": 1.0, "decimals": 1},
    },
    "guess": {"mse": GUESS, "mae": 1.6},
}  # fmt: skip


def write_values(sweep: Path, cell: str, seed: int, noise: float, **options: Any) -> None:
    """A run whose predictions are off by `noise`, recorded as training records it."""
    run = write_run(sweep, cell, seed=seed, num_evaluations=0, **options)
    run.update_record(task=VALUES)
    errors = np.random.default_rng([seed, len(cell)]).normal(0, noise, TARGETS.shape)
    for step in (10, 20):
        run.append_metrics({"step": step, "seconds": step / 10, "train/loss": 1.0,
                            "valid/mse": noise**2 * 30 / step})  # fmt: skip
    if run.state() == "finished":
        run.write_predictions(TARGETS, (TARGETS + errors).astype(np.float32))
        metrics = {"test/mse": float((errors**2).mean()), "test/mae": noise, "valid/mse": noise**2}
        run.write_result(**run.result() | {"metrics": metrics})


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The GRU errs less than the LSTM; one LSTM has learnt nothing, one GRU diverges."""
    folder = tmp_path_factory.mktemp("sweeps") / "values"
    for seed in range(4):
        write_values(folder, "lstm", seed, 2.5 if seed == 3 else 0.5 + seed / 100)
        state = "diverged" if seed == 3 else "finished"
        write_values(folder, "gru", seed, 0.2 + seed / 100, state=state)
    return folder


def test_an_error_is_better_when_lower_and_has_no_percent(sweep: Path) -> None:
    report = report_of(sweep, where="seed=0,1,2")
    assert (report.metric.name, report.metric.higher_is_better) == ("test/mse", False)
    _, gru = report.variants
    assert gru.compared is not None
    assert gru.compared.comparison.difference < 0
    assert gru.word == "better"
    curves = LearningCurves.of(report)
    assert curves is not None
    assert curves.metric.name == "valid/mse"
    assert max(curves.runs[0].values) == pytest.approx(0.25 * 3)


def test_what_only_classes_have_is_absent(sweep: Path) -> None:
    """No confusions, no time to 97 % of an error, and no complaint about predictions."""
    report = report_of(sweep)
    assert not {"predictions", "models", "thresholds"} & set(report.parts)
    assert not any("predictions.npz" in warning for warning in report.warnings)
    assert "seconds_to" not in table_csv.render(report)
    for text in (render(report), markdown.render(report), printed(report, 90)):
        assert "accuracy" not in text


def test_a_run_that_errs_as_a_guess_has_not_learnt(sweep: Path) -> None:
    """Its squared errors are tested against those of the mean of the targets."""
    report = report_of(sweep)
    lstm, gru = report.variants
    assert (lstm.not_learning, gru.not_learning, gru.diverged) == (1, 0, 1)
    (row,) = [row for row in report.runs if not row.is_learning]
    assert row.reason == f"best valid mse {2.5**2 * 1.5:.4f}, a guess has {GUESS:.4f}"


def test_a_diverged_run_stands_as_the_guess_of_its_task(tmp_path: Path) -> None:
    """Left out, the learning rate that diverges now and then would be chosen."""
    for seed in range(2):
        write_values(tmp_path / "s", "lstm", seed, 1.0, optimizer__lr=0.01)
        state = "diverged" if seed else "finished"
        write_values(tmp_path / "s", "lstm", seed, 0.9, optimizer__lr=0.1, state=state)
    report = report_of(tmp_path / "s", over=("optimizer.lr",))
    choice = report.variants[0].choice
    assert choice is not None
    assert choice.text == "lr=0.01 of 2"
    assert choice.runner_up == pytest.approx((0.9**2 + GUESS) / 2)


def test_another_metric_of_the_task_may_be_asked_for_and_no_other(sweep: Path) -> None:
    report = report_of(sweep, metric="test/mae")
    assert report.metric.title == "test mae, m"
    assert "m interval" not in printed(report, 200)
    with pytest.raises(CannotCompare, match=r"must be one of test/mae, test/mse, valid/mse: metr"):
        report_of(sweep, metric="test/accuracy")
    with pytest.raises(CannotCompare, match=r"must be one of valid/mse, valid/mae: select=valid/a"):
        report_of(sweep, select="valid/accuracy")
    with pytest.raises(CannotCompare, match="nothing to report the chosen with"):
        report_of(sweep, select="test/mse")


@pytest.mark.parametrize(("output", "shape"), [("bits", (9, 2)), ("class", (9, 12))])
def test_answers_of_several_kinds_are_read(
    tmp_path: Path, output: str, shape: tuple[int, ...]
) -> None:
    """Bits are floats beside bytes; classes of time steps have two axes. Neither has confusions."""
    run = write_run(tmp_path / "s")
    run.update_record(task={**VALUES, "output": output, "per_step": output == "class",
                            "main": "accuracy", "guess": {"accuracy": 0.5, "loss": 0.7},
                            "metrics": {"accuracy": SHARE}})  # fmt: skip
    targets = np.ones(shape, np.float32 if output == "bits" else np.uint8)
    run.write_predictions(targets, np.ones(shape, np.uint8))
    report = report_of(tmp_path / "s")
    assert report.warnings == ()
    assert "predictions" not in report.parts
    assert report.metric.title == "test accuracy, %"


def test_classes_have_their_names_in_tables_and_figures(tmp_path: Path) -> None:
    """The names are a stranger's: text, and no markup. Of many classes some are shown."""
    names = ["<b>cat</b>", "dog", "owl", *(f"class number {i:02} of many" for i in range(60))]
    for cell in ("lstm", "gru"):
        for seed in (0, 1):
            run = write_run(tmp_path / "s", cell, seed=seed)
            task = {**VALUES, "output": "class", "num_outputs": len(names), "main": "accuracy",
                    "metrics": {"accuracy": SHARE}, "guess": {"accuracy": 0.1, "loss": 4.0},
                    "noun": "sequences", "classes": names}  # fmt: skip
            run.update_record(task=task)
            targets = np.arange(630) % 63
            wrong = np.where(targets < 2, 1 - targets, targets)
            run.write_predictions(targets, np.where(np.arange(630) < 200 + seed, wrong, targets))
    report = report_of(tmp_path / "s")
    part = report.parts["predictions"]
    page = render(report)
    assert (part.names[1], len(part.names), len(part.shown)) == ("dog", 63, 40)
    assert part.shown[:2] == (0, 1)
    for said in ("&lt;b&gt;cat&lt;/b&gt;", "630 test sequences a run", "23 more classes, which are",
                 "Contested sequences", 'scope="row">dog<'):  # fmt: skip
        assert said in page
    assert "<b>cat</b>" not in page
    assert "test images" not in page


def test_runs_without_a_record_have_ten_classes(tmp_path: Path) -> None:
    """Those of version 0.1.0: accuracy in percent, and a guess that follows from the labels."""
    write_run(tmp_path / "s", accuracy=0.9)
    diverged = write_run(tmp_path / "s", seed=1, state="diverged")
    report = report_of(tmp_path / "s")
    assert (report.metric.name, report.metric.unit, report.main) == (
        "test/accuracy",
        "%",
        "accuracy",
    )
    diverged.update_record(task={"metrics": 3})
    assert "task" in report_of(tmp_path / "s").skipped[0].reason


@pytest.mark.parametrize(("num_outputs", "accuracy", "stuck"), [(3, 0.4, 1), (3, 0.6, 0)])
def test_a_guess_of_three_classes_is_not_one_of_ten(
    tmp_path: Path, num_outputs: int, accuracy: float, stuck: int
) -> None:
    """What would be far beyond a guess of ten classes is none of three."""
    run = write_run(tmp_path / "s", accuracy=accuracy, num_evaluations=0, data={"num_valid": 0})
    share = 1.15 / num_outputs
    run.update_record(task={**VALUES, "output": "class", "num_outputs": num_outputs,
                            "main": "accuracy",
                            "metrics": {"accuracy": SHARE},
                            "guess": {"accuracy": share, "loss": math.log(3)}})  # fmt: skip
    assert report_of(tmp_path / "s").variants[0].not_learning == stuck
