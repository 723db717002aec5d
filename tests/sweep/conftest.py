"""Sweeps as a user starts them, and what lies on the disk afterwards."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.sweep_folder import SweepFolder
from tests import warm
from tests.conftest import ROOT, clean_env
from tests.sweep.trouble import CALLBACK

# 4,000 real images; 40 steps, a checkpoint every tenth, an evaluation every tenth of the rest
SMALL = [
    "data=mnist_5k",
    "tracker=none",
    "device.kernel=torch",  # which stacks and jobs elsewhere have, and long enough to be killed
    "training.batch_size=100",
    "training.checkpoint_every=8",
    "training.eval_every=12",
    CALLBACK,
]
SIX = ["model=lstm,rnn", "model.hidden=8", "seed=range(3)"]
NAMES = [f"model={cell},seed={seed}" for cell in ("lstm", "rnn") for seed in range(3)]


def sweep_env() -> dict[str, str]:
    """A clean environment in which `tests.sweep.trouble` can be imported."""
    return {**clean_env(), "PYTHONPATH": str(ROOT)}


class SweepRunner:
    """`python -m mnist_seq.train -m` in a folder of its own, without a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *words: str, **env: str) -> "subprocess.Popen[str]":
        process = warm.Popen(
            [sys.executable, "-m", "mnist_seq.train", "-m", *words],
            cwd=self.folder,
            env={**sweep_env(), **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a terminal's process group, which Ctrl-C reaches as a whole
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """End what is still at work: a test that fails must not leave a sweep behind."""
        for process in self._started:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        for pid in processes_of(self.folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def __call__(self, *words: str, code: int = 0, **env: str) -> str:
        """Run to the end and return the output."""
        process = self.start(*words, **env)
        output, _ = process.communicate(timeout=240)
        assert process.returncode == code, output
        return output

    def alone(self, *words: str) -> None:
        """Run one run by itself, without a sweep."""
        done = warm.run(
            [sys.executable, "-m", "mnist_seq.train", *words],
            cwd=self.folder,
            env=sweep_env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def sweep(self, name: str) -> SweepFolder:
        return SweepFolder(self.folder / "outputs" / "sweeps" / name)

    def trouble(self, **kinds: str) -> None:
        (self.folder / "trouble.json").write_text(json.dumps(kinds))

    def no_trouble(self) -> None:
        (self.folder / "trouble.json").unlink(missing_ok=True)


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[SweepRunner]:
    runner = SweepRunner(tmp_path)
    yield runner
    runner.close()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each of the six runs reaches in a sweep without trouble: result and evaluations."""
    runner = SweepRunner(tmp_path_factory.mktemp("undisturbed"))
    try:
        runner(*SMALL, *SIX, "sweep.name=s")
    finally:
        runner.close()
    return {name: numbers(runner.sweep("s").run(name)) for name in NAMES}


def numbers(run: RunFolder) -> Any:
    """All that a run has measured, times left out."""
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()]
    labels, predictions = run.predictions()
    return run.result()["metrics"], rows, labels.tolist(), predictions.tolist()


def changes(folder: SweepFolder, change: str) -> list[str]:
    """Runs that the ledger tells a change of, in its order."""
    return [row["run"] for row in folder.ledger() if row["change"] == change]


def wait_until(is_so: Callable[[], bool], process: "subprocess.Popen[str] | None" = None) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def processes_of(folder: Path) -> list[int]:
    """Processes that work in a folder, whoever started them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(entry / "cwd").startswith(str(folder)):
                found.append(int(entry.name))
    return found


def gone(folder: Path, seconds: float) -> bool:
    """Whether no process is left that works in a folder, after a while at most."""
    deadline = time.monotonic() + seconds
    while processes_of(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not processes_of(folder)
