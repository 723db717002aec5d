"""A sweep of twelve runs killed again and again at random moments, and started until it is done."""

import contextlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.sweep.conftest import SMALL, SweepRunner, gone, numbers, processes_of

TWELVE = [*SMALL[:-1], "data.limit=1000", "model=lstm,rnn", "model.hidden=8", "seed=range(6)",
          "sweep.name=s", "sweep.baseline=none"]  # fmt: skip
NAMES = [f"model={cell},seed={seed}" for cell in ("lstm", "rnn") for seed in range(6)]
# MNIST_SEQ_NUM_KILLS=10 for a short look
NUM_KILLS = int(os.environ.get("MNIST_SEQ_NUM_KILLS", "100"))


def results(runner: SweepRunner) -> dict[str, Any]:
    return {name: numbers(runner.sweep("s").run(name)) for name in NAMES}


def begin_and_kill(runner: SweepRunner, rng: random.Random) -> bool:
    """Start the sweep, kill one of its processes later; False where it was done before that."""
    process = runner.start(*TWELVE)
    delay = rng.uniform(0.5, 9.0)
    with contextlib.suppress(Exception):
        process.wait(delay)
    if process.returncode is not None:
        assert process.returncode == 0, process.communicate()[0]
        return False
    whose = rng.choice(["command", "command", "group", "any"])
    if whose == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        candidates = [process.pid] if whose == "command" else processes_of(runner.folder)
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(candidates or [process.pid]), signal.SIGKILL)
    process.communicate(timeout=240)
    return True


@pytest.mark.exhaustive
def test_a_sweep_killed_at_random_moments_ends_with_the_undisturbed_results(tmp_path: Path) -> None:
    """No moment is special: results equal bit for bit, no evaluation doubled or lost."""
    rng, num_kills, num_sweeps = random.Random(9), 0, 0
    (tmp_path / "undisturbed").mkdir()
    runner = SweepRunner(tmp_path / "undisturbed")
    try:
        runner(*TWELVE)
    finally:
        runner.close()
    whole = results(runner)
    begun = time.monotonic()
    while num_kills < NUM_KILLS:
        folder = tmp_path / str(num_sweeps)
        folder.mkdir()
        runner, num_sweeps = SweepRunner(folder), num_sweeps + 1
        try:
            while num_kills < NUM_KILLS and begin_and_kill(runner, rng):
                num_kills += 1
            runner(*TWELVE)
            assert results(runner) == whole
            assert not list(folder.rglob(".*.tmp"))
            assert gone(folder, 15)
        finally:
            runner.close()
    print(f"{num_kills} kills in {num_sweeps} sweeps, {time.monotonic() - begun:.0f} s")
