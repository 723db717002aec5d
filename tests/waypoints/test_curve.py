"""What is stored of equal runs, and which curve is a run's."""

from pathlib import Path
from typing import Any

import pytest

from mnist_seq.config import plain
from mnist_seq.runs import files
from mnist_seq.runs.folder import RunFolder
from mnist_seq.waypoints.curve import MOST_POINTS, curve_of
from mnist_seq.waypoints.stored import curve_for, stored_curve
from tests.conftest import config_of
from tests.waypoints.conftest import WORDS

METRIC = "valid/accuracy"


def rows(*values: float | None, every: int = 10) -> list[dict[str, Any]]:
    """Evaluations at 10, 20, ... updates."""
    return [
        {"step": every * (i + 1), METRIC: value, "optimizer/lr": 0.01}
        for i, value in enumerate(values)
    ]


def test_a_curve_has_the_updates_that_all_seeds_have() -> None:
    """A run that stopped early, or has no finite value, ends or thins it; known numbers."""
    found = curve_of([rows(0.1, 0.2, 0.9), rows(0.3, None), rows(0.5, 0.4)], METRIC)
    assert found == {"metric": METRIC, "updates": [10], "mean": [0.3], "sd": [0.2], "lr": [0.01],
                     "n": 3}  # fmt: skip
    assert curve_of([rows(0.1), rows(0.1, every=7)], METRIC) == {}
    assert curve_of([rows(0.1)], METRIC) == {}, "one seed has no spread"
    assert curve_of([], METRIC) == {}


def test_a_long_curve_is_thinned_between_its_ends() -> None:
    """A file stays readable, and the first point, which a user waits for, stays."""
    run = rows(*[0.5] * 1000)
    updates = curve_of([run, run, run], METRIC)["updates"]
    assert (len(updates), updates[0], updates[-1]) == (MOST_POINTS, 10, 10_000)
    assert updates == sorted(set(updates))


def test_a_run_finds_the_curve_of_its_own_steps_alone(three: list[RunFolder], mine: Path) -> None:
    """No claim is made of a run with other steps or data; seed, kernel and length may differ."""
    fingerprint = three[0].record()["data"]["fingerprint"]
    config = plain(config_of(*WORDS))

    def found(key: str, value: object) -> bool:
        group, _, name = key.rpartition(".")
        values = {**config, group: {**config.get(group, {}), name: value}}
        return curve_for(values if group else {**config, name: value}, fingerprint) is not None

    same: dict[str, object] = {
        "seed": 7, "arm": "a", "device.kernel": "native", "device.name": "cuda",
        "device.threads": 2, "training.epochs": 9, "training.updates": 7,
        "training.eval_every": 2, "training.early_stop": 3, "training.monitor_test": 10,
        "training.best": "valid/loss", "training.train_accuracy": True, "data.root": "elsewhere",
        "tracker.name": "wandb", "sweep.name": "b", "model.match": "params",
    }  # fmt: skip
    assert [key for key, value in same.items() if not found(key, value)] == []
    other: dict[str, object] = {
        "model.hidden": 5, "model.name": "gru", "optimizer.lr": 0.02, "schedule.name": "cosine",
        "data.limit": 255, "data.valid": 127, "training.batch_size": 32, "training.clip_norm": 1.0,
        "model.dropout": 0.1, "device.precision": "bf16", "training.order": "fixed",
        "data.label_noise": 0.1, "training.tbptt": 7, "model.new": 1,
    }  # fmt: skip
    assert [key for key, value in other.items() if found(key, value)] == []
    assert curve_for(config, "of other images") is None


@pytest.mark.parametrize(
    ("metric", "word"),
    [("train/loss", "training.eval_every=2"), ("monitor/accuracy", "training.monitor_test=10"),
     ("train_eval/accuracy", "training.eval_train=10")],
)  # fmt: skip
def test_a_metric_that_is_read_over_other_examples_is_another_one(
    mine: Path, metric: str, word: str
) -> None:
    """The mean of train/loss is over the steps since the last evaluation."""
    value = files.read_json(mine)
    files.write_json(mine, {**value, "curve": {**value["curve"], "metric": metric}})
    assert curve_for(plain(config_of(*WORDS)), "") is not None
    assert curve_for(plain(config_of(*WORDS, word)), "") is None


def test_two_seeds_make_no_curve(three: list[RunFolder], mine: Path) -> None:
    """Their interval is as wide as the metric."""
    assert stored_curve(three[:2]) == {}
    value = files.read_json(mine)
    files.write_json(mine, {**value, "curve": {**value["curve"], "n": 2}})
    assert curve_for(plain(config_of(*WORDS)), "") is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"sd": [0.1]}, "one length"), ({"updates": [4, 4, 8]}, "must rise"),
     ({"sd": [0.1, -1.0, 0.1]}, "curve.sd.1"), ({"metric": 3}, "curve.metric")],
)  # fmt: skip
def test_a_damaged_curve_costs_a_line_and_no_run(
    mine: Path, caplog: pytest.LogCaptureFixture, change: dict[str, Any], reason: str
) -> None:
    value = files.read_json(mine)
    files.write_json(mine, {**value, "curve": {**value["curve"], **change}})
    assert curve_for(plain(config_of(*WORDS)), "") is None
    assert [reason in record.message for record in caplog.records] == [True]
    mine.write_text("{")
    assert curve_for(plain(config_of(*WORDS)), "") is None
    files.write_json(mine, {"of": "somebody else"})
    assert curve_for(plain(config_of(*WORDS)), "") is None
    assert len(caplog.records) == 2, "a file without a curve is no damaged one"
