"""One run from its config to its folder."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mnist_seq.runs.errors import Interrupted, RunFailed, StaleRun
from mnist_seq.runs.events import Ended, Listener, Progress, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.training.progress import metrics_text
from mnist_seq.training.run import Job, recorded_end
from tests.tasks.made import locate
from tests.training.conftest import make_config

RunIn = Callable[..., tuple[Ended, RunFolder]]


def same(a: RunFolder, b: RunFolder) -> None:
    """Two folders hold the same numbers, bit for bit; times apart."""
    assert a.result()["metrics"] == b.result()["metrics"]
    rows = [[{k: v for k, v in r.items() if k != "seconds"} for r in f.metrics()] for f in (a, b)]
    assert rows[0] == rows[1]
    weights = [torch.load(f.model_path, weights_only=True) for f in (a, b)]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    np.testing.assert_array_equal(a.predictions()[1], b.predictions()[1])


class StopAt(Listener):
    """Sends this process a signal when a step has been reached."""

    def __init__(self, step: int, signum: int) -> None:
        self.step, self.signum, self.steps = step, signum, list[int]()

    def started(self, event: Started) -> None:
        self.steps.append(event.first_step)

    def progressed(self, event: Progress) -> None:
        if event.step >= self.step:
            self.step = 10**9
            signal.raise_signal(self.signum)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_two_equal_runs_are_bitwise_equal(tmp_path: Path, run_in: RunIn, cell: str) -> None:
    """Otherwise no difference between two configs could be told from noise."""
    folders = [run_in(tmp_path / name, f"model={cell}")[1] for name in "ab"]
    same(*folders)


def test_updates_say_how_long_to_train_and_no_epoch_has_to_end(
    tmp_path: Path, run_in: RunIn
) -> None:
    """Tasks that are solved at once after a long flat are budgeted in updates."""
    _, folder = run_in(tmp_path / "run", "training.updates=13", "schedule=cosine")
    assert [row["step"] for row in folder.metrics()] == [10, 13]
    assert folder.result()["steps"] == 13
    assert folder.metrics()[-1]["epoch"] == 1.3
    assert folder.metrics()[-1]["optimizer/lr"] == pytest.approx(0, abs=1e-9)


def test_another_seed_gives_other_numbers(tmp_path: Path, run_in: RunIn) -> None:
    """A seed that were ignored would make every interval zero wide."""
    folders = [run_in(tmp_path / s, f"seed={s}")[1] for s in "01"]
    assert folders[0].result()["metrics"] != folders[1].result()["metrics"]
    splits = {folder.record()["data"]["split"] for folder in folders}
    assert len(splits) == 2


RESUMES = [
    ("training.checkpoint_every=3",),
    ("training.checkpoint_every=0.000001min",),
    ("training.checkpoint_every=4", "model.dropout=0.3", "model.layers=2"),
    (
        "training.checkpoint_every=4",
        "schedule=cosine",
        "schedule.warmup=3",
        "training.eval_every=3",
    ),
    ("optimizer=nadam", "model.bias=one"),
    ("optimizer=rmsprop", "optimizer.momentum=0.9"),
    ("optimizer=sgd", "training.evaluate=best", "training.eval_every=5"),
    ("optimizer=adagrad", "training.clip_norm=0.5"),
    ("optimizer=adadelta", "training.clip_value=0.01", "schedule=inverse_time"),
    (
        "training.ema=0.8",
        "training.checkpoint_every=4",
        "training.evaluate=best",
        "model.readout_norm=batch",
    ),
    ("schedule=plateau", "schedule.patience=1", "training.min_delta=9", "training.eval_every=2"),
    ("data.shift=2", "data.noise=0.1", "data.drop_steps=0.1", "data.label_noise=0.2"),
    ("training.order=fixed", "data.sequence=permuted", "data.chunk=28"),
    (
        "training.checkpoint_every=4",
        "training.train_accuracy=true",
        "training.eval_train=50",
        "training.best=valid/loss",
        "training.min_delta=0.001",
        "training.evaluate=best",
    ),
]


@pytest.mark.parametrize("overrides", RESUMES, ids=lambda o: ",".join(o))
def test_stopped_and_resumed_equals_never_stopped(
    tmp_path: Path, run_in: RunIn, overrides: tuple[str, ...]
) -> None:
    """Optimizer, random states, data order and schedule all go on where they were."""
    words = ("training.epochs=2", "training.eval_every=5", *overrides)
    _, whole = run_in(tmp_path / "whole", *words)
    stop = StopAt(12, signal.SIGTERM)
    with pytest.raises(Interrupted):
        run_in(tmp_path / "stopped", *words, listeners=[stop])
    assert RunFolder(tmp_path / "stopped").state() == "interrupted"
    _, stopped = run_in(tmp_path / "stopped", *words, listeners=[stop])
    assert stop.steps[0] == 0
    assert stop.steps[1] >= 12
    same(whole, stopped)


def test_a_checkpoint_of_version_0_1_0_is_resumed(tmp_path: Path, run_in: RunIn) -> None:
    """It names the best value by accuracy, the one metric that there was."""
    words = ("training.epochs=2", "training.eval_every=5", "training.evaluate=best")
    _, whole = run_in(tmp_path / "whole", *words)
    with pytest.raises(Interrupted):
        run_in(tmp_path / "stopped", *words, listeners=[StopAt(12, signal.SIGTERM)])
    path = RunFolder(tmp_path / "stopped").checkpoint_path
    saved = torch.load(path, weights_only=True)
    saved["loop"]["best_accuracy"] = saved["loop"].pop("best_value")
    torch.save(saved, path)
    _, stopped = run_in(tmp_path / "stopped", *words)
    same(whole, stopped)


def test_the_model_file_loads_into_plain_pytorch(tmp_path: Path, run_in: RunIn) -> None:
    """A user takes the weights along without this package."""
    _, folder = run_in(tmp_path)
    weights = torch.load(folder.model_path, weights_only=True)
    lstm = nn.LSTM(28, 8)
    lstm.load_state_dict({k.removeprefix("rnn."): v for k, v in weights.items() if "rnn." in k})
    assert weights["head.weight"].shape == (10, 8)


def test_the_folder_holds_every_file_of_the_design(tmp_path: Path, run_in: RunIn) -> None:
    ended, folder = run_in(tmp_path, "training.checkpoint_every=5")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"run.json", "metrics.jsonl", "checkpoint.pt", "best.pt", "model.pt",
                     "predictions.npz", "result.json", ".record-lock"}  # fmt: skip
    result, record = folder.result(), folder.record()
    assert result["state"] == "finished"
    assert result["metrics"]["test/accuracy"] == ended.metrics["test/accuracy"]
    labels, predictions = folder.predictions()
    assert result["metrics"]["test/accuracy"] == pytest.approx(
        float(np.mean(labels == predictions))
    )
    assert record["data"]["data"] == "mnist_5k"
    assert {"config_hash", "config", "code", "versions", "host", "device"} <= record.keys()
    assert (record["kernel"], record["beside"]["at_once"]) == ("nn.LSTM", 1)
    assert record["beside"]["load"] >= 0


def test_a_loss_that_is_not_finite_is_an_outcome(tmp_path: Path, run_in: RunIn) -> None:
    """A diverged run is a result of the study, not a crash of the tool."""
    ended, folder = run_in(tmp_path, "optimizer=sgd", "optimizer.lr=1e30", "model=rnn",
                           "model.nonlinearity=relu")  # fmt: skip
    assert (ended.state, ended.exit_code) == ("diverged", 0)
    assert folder.state() == "diverged"
    assert "test/accuracy" not in folder.result()["metrics"]


def test_a_run_that_diverged_at_an_evaluation_can_be_shown_again(
    tmp_path: Path, run_in: RunIn
) -> None:
    """Its last loss is no number, on the screen and in the folder."""
    words = ("optimizer=sgd", "optimizer.lr=1e25", "model=rnn", "model.nonlinearity=relu",
             "training.eval_every=1")  # fmt: skip
    ended, folder = run_in(tmp_path, *words)
    assert None in folder.metrics()[-1].values()
    again = recorded_end(
        Job(make_config(*words), locate("mnist_5k", Path("data")), folder, "small")
    )
    assert again is not None
    assert again.state == "diverged"
    assert metrics_text(again.metrics) == metrics_text(ended.metrics)


class Breaks(Listener):
    """Puts a folder where the run is to write its weights."""

    def started(self, event: Started) -> None:
        (event.folder / "model.pt").mkdir()


def test_a_failing_run_leaves_its_traceback_and_can_be_tried_again(
    tmp_path: Path, run_in: RunIn
) -> None:
    with pytest.raises(RunFailed, match="Is a directory"):
        run_in(tmp_path, listeners=[Breaks()])
    folder = RunFolder(tmp_path)
    assert folder.state() == "failed"
    assert "Traceback" in folder.error()
    folder.model_path.rmdir()
    run_in(tmp_path)
    assert folder.state() == "finished"


def test_a_folder_of_another_config_is_refused_by_key(tmp_path: Path, run_in: RunIn) -> None:
    """Two configs in one folder would be one wrong number."""
    run_in(tmp_path)
    with pytest.raises(StaleRun, match=r": optimizer\.lr \(0\.01, now 0\.02\) differ;"):
        run_in(tmp_path, "optimizer.lr=0.02", "training.checkpoint_every=7")
    with pytest.raises(StaleRun, match=r": training\.clip_value \(inf, now 3\.0\) differ;"):
        run_in(tmp_path, "training.clip_value=3")  # run.json leaves the default out


def test_early_stop_ends_after_its_patience(tmp_path: Path, run_in: RunIn) -> None:
    _, folder = run_in(tmp_path, "training.epochs=50", "training.early_stop=1",
                       "training.eval_every=1", "optimizer=sgd", "optimizer.lr=1e-9")  # fmt: skip
    result = folder.result()
    assert result["is_stopped_early"]
    assert result["steps"] == 2
    folder.result_path.unlink()  # killed just before it was written
    _, folder = run_in(tmp_path, "training.epochs=50", "training.early_stop=1",
                       "training.eval_every=1", "optimizer=sgd", "optimizer.lr=1e-9")  # fmt: skip
    assert folder.result()["steps"] == 2


def test_the_best_weights_are_those_of_the_best_evaluation(tmp_path: Path, run_in: RunIn) -> None:
    """With evaluate=best, valid/accuracy in the result is the best that metrics.jsonl holds."""
    _, folder = run_in(tmp_path, "training.evaluate=best", "training.eval_every=2",
                       "optimizer.lr=0.1")  # fmt: skip
    best = max(row["valid/accuracy"] for row in folder.metrics())
    assert folder.result()["metrics"]["valid/accuracy"] == best
    assert folder.result()["best"]["valid/accuracy"] == best


def test_bf16_trains(tmp_path: Path, run_in: RunIn) -> None:
    ended, _ = run_in(tmp_path, "device.precision=bf16")
    assert ended.state == "finished"


class Losses(Listener):
    def __init__(self) -> None:
        self.values: list[float] = []

    def evaluated(self, row: dict[str, Any]) -> None:
        self.values.append(row["train/loss"])


def test_thirty_two_digits_are_memorised(tmp_path: Path, run_in: RunIn) -> None:
    """The smallest proof that gradients reach every weight."""
    losses = Losses()
    run_in(tmp_path, "data.limit=32", "training.batch_size=32", "training.epochs=200",
           "model.hidden=32", "training.eval_every=100", listeners=[losses])  # fmt: skip
    assert losses.values[-1] < 0.05


class StopSoon(Listener):
    """Sends this process a signal a moment after the start, wherever the loop then is."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def started(self, event: Started) -> None:
        threading.Timer(self.seconds, os.kill, (os.getpid(), signal.SIGTERM)).start()


@pytest.mark.slow
def test_a_signal_between_two_looks_at_the_loss_changes_no_bit(
    tmp_path: Path, run_in: RunIn
) -> None:
    """The sum behind train/loss must not be rounded where the signal happened to come."""
    words = ("training.epochs=3", "data.limit=3000", "training.batch_size=8", "data.sequence=rows")
    _, whole = run_in(tmp_path / "whole", *words)
    stops = 0
    for seconds in (0.2, 0.31, 0.17):
        with contextlib.suppress(Interrupted):
            run_in(tmp_path / "stopped", *words, listeners=[StopSoon(seconds)])
        stops += RunFolder(tmp_path / "stopped").state() == "interrupted"
    assert stops >= 2
    _, stopped = run_in(tmp_path / "stopped", *words)
    same(whole, stopped)


def test_a_loss_that_is_lost_in_the_last_step_is_diverged_too(
    tmp_path: Path, run_in: RunIn
) -> None:
    """Nothing after it looks at the loss, and test/accuracy of lost weights is no result."""
    for valid in ("data.valid=0", "data.valid=400"):
        ended, folder = run_in(tmp_path / valid, "data.limit=100", "optimizer=sgd", valid,
                               "optimizer.lr=1e30", "optimizer.weight_decay=1e10")  # fmt: skip
        assert ended.state == folder.state() == "diverged"
        assert "test/accuracy" not in folder.result()["metrics"]
        assert not folder.best_path.exists()


def test_the_last_checkpoint_is_that_of_the_last_step(tmp_path: Path, run_in: RunIn) -> None:
    _, folder = run_in(tmp_path)
    last = torch.load(folder.checkpoint_path, weights_only=True)["loop"]["step"]
    assert last == folder.result()["steps"] == 10
