"""The contract of `mnist_seq.tracking`, checked for every tracker of `conf/tracker/`.

The YAMLs are found by scanning the folder: a new tracker is tested as soon as its YAML exists.
"""

import logging
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_seq.config.paths import options
from mnist_seq.notebook import compose, train_run
from mnist_seq.runs.errors import Interrupted
from mnist_seq.runs.events import Listener, Row
from mnist_seq.runs.folder import RunFolder
from tests.conftest import Command, some

TINY = ["data=mnist_5k", "data.limit=400", "model.hidden=4", "training.batch_size=50"]
TWICE = [*TINY, "training.epochs=2", "training.checkpoint_every=3", "training.eval_every=4"]
EVERY = options("tracker")


@pytest.fixture(autouse=True)
def away_from_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No account, no network: what a tracker does without both."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)


@pytest.fixture(scope="module")
def untracked(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("untracked")
    train_run(compose("tracker=none", *TWICE), folder)
    return RunFolder(folder)


def numbers(folder: RunFolder) -> Any:
    """All that a run has computed; times apart."""
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in folder.metrics()]
    weights = torch.load(folder.model_path, weights_only=True)
    return rows, folder.result()["metrics"], {k: v.tolist() for k, v in weights.items()}


def warnings(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a person is warned of, in the log or on the screen."""
    said = [line for line in capsys.readouterr().out.splitlines() if "goes on without it" in line]
    return said + [record.getMessage() for record in caplog.records]


class StopAt(Listener):
    """Sends this process a SIGTERM when a step has been reached."""

    def __init__(self, step: int) -> None:
        self.step = step

    def evaluated(self, row: Row) -> None:
        if row["step"] >= self.step:
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("name", EVERY)
def test_a_tracked_run_has_the_numbers_of_an_untracked_one(
    name: str,
    tmp_path: Path,
    untracked: RunFolder,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A tracker that drew a random number would change what is measured."""
    caplog.set_level(logging.WARNING)
    train_run(compose(f"tracker={name}", *TWICE), tmp_path / "run")
    assert numbers(RunFolder(tmp_path / "run")) == numbers(untracked)
    assert not warnings(caplog, capsys)


@pytest.mark.parametrize("name", EVERY)
def test_a_run_goes_on_with_its_tracker_after_an_interruption(
    name: str, tmp_path: Path, untracked: RunFolder, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The tracker is opened a second time, on a folder that it has written to before."""
    caplog.set_level(logging.WARNING)
    config = compose(f"tracker={name}", *TWICE)
    with monkeypatch.context() as patch:
        patch.setattr("mnist_seq.runs.events.WATCHERS", [StopAt(7)])
        with pytest.raises(Interrupted):
            train_run(config, tmp_path / "run")
    assert RunFolder(tmp_path / "run").state() == "interrupted"
    train_run(config, tmp_path / "run")
    assert numbers(RunFolder(tmp_path / "run")) == numbers(untracked)
    assert not warnings(caplog, capsys)


@pytest.mark.parametrize("name", EVERY)
def test_a_tracker_that_cannot_write_costs_a_warning_at_most(
    name: str,
    tmp_path: Path,
    untracked: RunFolder,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As on a full or damaged disk: the run itself is whole."""
    caplog.set_level(logging.WARNING)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text("a file where the tracker wants its folder")
    train_run(compose(f"tracker={name}", *TWICE), tmp_path / "run")
    assert numbers(RunFolder(tmp_path / "run")) == numbers(untracked)
    # None where it writes elsewhere, or nothing
    assert len(warnings(caplog, capsys)) <= 1


@pytest.mark.parametrize("launcher", ["pool", pytest.param("stack", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", some(EVERY[::-1], 1))
def test_a_sweep_is_tracked_without_a_warning(
    name: str, launcher: str, tmp_path: Path, train: Command
) -> None:
    """In the pool, and where all runs share a process."""
    words = ["seed=0,1", f"hydra/launcher={launcher}", "sweep.name=s", "sweep.baseline=none"]
    out = train("-m", *TINY, *words, "hydra.launcher.workers=1", f"tracker={name}").stdout
    assert "2 of 2 runs done" in out
    assert "failed" not in out
    for seed in (0, 1):
        folder = RunFolder(tmp_path / "outputs" / "sweeps" / "s" / f"seed={seed}")
        assert folder.state() == "finished"
        assert "failed" not in (folder.path / "log.txt").read_text()
