"""A launcher of one's own is one YAML and one small file: tried in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_env

YAML = """\
# Runs one after the other, in a thread of the command's own process.
_target_: hydra_plugins.mnist_seq.launcher.PlanLauncher
engine: thread
workers: 1  # one at a time: a process has one current folder, and one set of threads for torch
grace: 20   # seconds that a run gets to save its checkpoint when the sweep is stopped
"""

CODE = '''\
"""Threads: runs one after the other, in the command's own process."""

import threading
from typing import Literal

from mnist_seq.sweep.engines import EngineLauncher
from mnist_seq.sweep.pool.call import Call
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.training.loop.interruption import stop_thread


class ThreadLauncher(EngineLauncher):
    """The fields are the keys of the YAML; `workers` is narrowed to what threads can do."""

    workers: Literal[1]

    def open_engine(self, opening: Opening) -> "ThreadEngine":
        """An engine with one slot."""
        return ThreadEngine()


class ThreadEngine:
    """Starts a thread for each call."""

    def __init__(self) -> None:
        self.slots: list[dict[str, str]] = [{}]

    def start(self, call: Call, slot: int) -> "ThreadHandle":
        """Train a run in a new thread."""
        return ThreadHandle(call)

    def close(self) -> None:
        """Nothing is kept."""


class ThreadHandle:
    """A run in its thread."""

    def __init__(self, call: Call) -> None:
        self._call, self._fault = call, ""
        self._thread = threading.Thread(target=self._train, daemon=True)
        self._thread.start()

    def _train(self) -> None:
        self._fault = self._call.in_thread()

    def is_done(self) -> bool:
        """Whether the run has ended."""
        return not self._thread.is_alive()

    def fault(self) -> str:
        """Why there is no result, or ""."""
        return self._fault

    def ask_to_stop(self) -> None:
        """The run saves its checkpoint and ends."""
        stop_thread(self._thread)

    def kill(self) -> None:
        """A thread cannot be killed: wait for its next step."""
        self.ask_to_stop()
        self._thread.join()
'''


@pytest.mark.slow  # CONTRIBUTING's launcher is tried each time
def test_a_launcher_of_threads_keeps_the_contract(tmp_path: Path) -> None:
    """Nothing is edited: the command line and the contract's tests find it."""
    for name in ("mnist_seq", "hydra_plugins", "conf", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "outputs")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "conf/hydra/launcher/thread.yaml").write_text(YAML)
    (tmp_path / "mnist_seq/sweep/engines/thread.py").write_text(CODE)
    words = ["pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "slow or not slow"]
    done = subprocess.run(
        [sys.executable, "-m", *words, "tests/contracts/test_launchers.py", "-k", "thread"],
        cwd=tmp_path,
        env={**clean_env(), "PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b3 passed", done.stdout), done.stdout
