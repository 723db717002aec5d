"""Runs that a sweep keeps from before: those that W&B's server lacks are named."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_seq import compose, train_run
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb.mirror.listeners import ending_line, kept_line
from mnist_seq.tracking.wandb.run.status import Status, record
from tests import warm
from tests.conftest import clean_env
from tests.report.sweeps import write_run
from tests.wandb_server import KEY, Server

TINY = ["data=mnist_5k", "data.limit=200", "model.hidden=4", "training.batch_size=200"]
SWEEP = [*TINY, "sweep.baseline=none", "sweep.name=a b"]


@pytest.mark.slow
def test_a_sweep_repeated_online_names_the_runs_that_are_only_offline(
    server: Server, tmp_path: Path
) -> None:
    """And its command sends them, whatever the folder is called."""
    key = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
    env = {**clean_env(), "HOME": str(tmp_path), **key}

    def run(*words: str) -> str:
        done = warm.run(
            [sys.executable, *words], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    train = ["-m", "mnist_seq.train", "-m", *SWEEP]
    said = run(*train, "seed=0", "tracker.mode=offline")
    assert "reused" not in said.split("W&B: 1 offline;")[1]
    said = run(*train, "seed=0,1", "tracker.mode=online")
    assert "W&B: 1 synced\n" in said
    found = re.search(
        r"W&B: 1 reused run is not on the server \(run\); python (.*) brings it there", said
    )
    assert found is not None, said
    assert "W&B: 2 of 2 runs complete" in run(*shlex.split(found[1]))
    assert len(server.runs) == 2


def kept(folder: Path, *states: str, project: str = "mnist_seq") -> list[RunFolder]:
    """Runs with these states in W&B; "" for a run that was never mirrored."""
    runs = [write_run(folder, seed=i, name=f"seed={i}") for i in range(len(states))]
    for run, state in zip(runs, states, strict=True):
        if state:
            record(run, Status("id", "online", "", state, project, "me"))  # type: ignore[arg-type]
    return runs


def test_runs_of_any_state_but_synced_are_named_and_none_where_nobody_asked(tmp_path: Path) -> None:
    runs = kept(tmp_path, "synced", "partial", "", "running")
    line = kept_line({"mode": "online"}, runs, Path("s"))
    assert line == (
        "W&B: 3 reused runs are not on the server (seed=1, seed=2, seed=3); "
        "python -m mnist_seq.sync sweep=s brings them there"
    )
    assert kept_line({"mode": "online"}, runs[:1], Path("s")) == ""
    assert kept_line({"mode": "offline"}, runs, Path("s")) == ""
    moved = kept_line({"mode": "online", "project": "lab"}, runs[:1], Path("s"))
    assert moved == (
        "W&B: 1 reused run is in another project (seed=0); python -m mnist_seq.sync sweep=s "
        "project=lab brings all runs to this one"
    )


def test_the_last_line_names_some_of_many_runs() -> None:
    """All of one kind need no names."""
    states = {Path(f"{i}"): "offline" for i in range(7)}
    assert ending_line(states, Path("s")).startswith("W&B: 7 offline; python")
    assert ending_line({**states, Path("x"): "synced"}, Path("s")).startswith(
        "W&B: 1 synced, 7 offline (0, 1, 2, 3, 4 and 2 more); python"
    )
    assert ending_line({}, Path("s")) == ""


def test_a_run_of_its_own_that_is_kept_is_named_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was trained without W&B, and is asked for again with it."""
    folder = tmp_path / "lone"
    train_run(compose(*TINY, "tracker=none"), folder)
    assert "not on the server" not in capsys.readouterr().out
    train_run(compose(*TINY, "tracker.mode=online"), folder)
    assert f"(lone); python -m mnist_seq.sync sweep={folder} brings it there" in "".join(
        capsys.readouterr().out.splitlines()
    )
