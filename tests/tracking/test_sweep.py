"""A real sweep in the pool, mirrored to a server on this machine."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.runs.folder import RunFolder, find_runs
from tests import warm
from tests.conftest import clean_env
from tests.wandb_server import KEY, Server

SIX = ["data=mnist_5k", "model=lstm,rnn", "model.hidden=8", "seed=range(3)"]
SLOWLY = ["training.epochs=12", "training.batch_size=100", "training.checkpoint_every=20"]
NAME = "sweep.name=six"


@pytest.fixture
def env(server: Server, tmp_path: Path) -> dict[str, str]:
    return {
        **clean_env(),
        "HOME": str(tmp_path),
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": KEY,
    }


def launch(folder: Path, env: dict[str, str], *words: str) -> "subprocess.Popen[str]":
    return warm.Popen(
        [sys.executable, "-m", "mnist_seq.train", "-m", *SIX, *SLOWLY, NAME, *words],
        cwd=folder, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def kill_a_worker(root: Path, process: "subprocess.Popen[str]") -> str:
    """Kill the first job that has evaluated, without a warning. Returns its run's name."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        for holder in root.glob("*/.lock-holder"):
            with contextlib.suppress(OSError, ValueError):
                if RunFolder(holder.parent).metrics():
                    os.kill(json.loads(holder.read_text())["pid"], signal.SIGKILL)
                    return holder.parent.name
        time.sleep(0.01)
    raise AssertionError("no job evaluated")


def check(server: Server, root: Path) -> None:
    """Six runs, each as its folder says, and each folder with its upload."""
    folders = {folder.path.name: folder for folder in find_runs(root)}
    assert len(folders) == len(server.runs) == 6
    for name, folder in folders.items():
        run = server.run_named(name)
        assert run.fields["groupName"] == "six"
        assert run.fields["jobType"] == "train"
        steps = [row["step"] for row in folder.metrics()]
        assert [row["step"] for row in run.history] == steps
        assert len(steps) == 12
        losses = [row["valid/loss"] for row in folder.metrics()]
        assert [row["valid/loss"] for row in run.history] == losses
        assert (run.state, run.exit_code, run.summary["state"]) == ("finished", 0, "finished")
        assert folder.result()["metrics"].items() <= run.summary.items()
        assert run.summary["num_params"] == folder.result()["num_params"]
        assert run.summary["samples"]["nrows"] == 10
        shown: dict[str, Any] = run.config
        record = folder.record()
        assert shown["model"]["name"] == record["config"]["model"]["name"]
        assert shown["run"]["folder"] == str(folder.path)
        assert ("baseline" in run.fields["tags"]) == (shown["model"]["name"] == "lstm")
        assert record["wandb"]["state"] == "synced"
        assert record["wandb"]["url"].endswith(f"/{run.name}")


@pytest.mark.slow
def test_a_worker_is_killed_and_the_sweep_launched_again_and_nothing_is_double_or_lost(
    server: Server, env: dict[str, str], tmp_path: Path
) -> None:
    """Six runs, one of them killed half-way: it is a failed run in W&B, and then a whole one."""
    root = tmp_path / "outputs" / "sweeps" / "six"
    process = launch(tmp_path, env)
    name = kill_a_worker(root, process)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert output.count("W&B: online") == 1, output
    assert "W&B: 6 synced" in output, output
    killed = server.run_named(name)
    assert (killed.state, killed.summary["state"]) == ("failed", "failed")
    assert "SIGKILL" in killed.summary["reason"]
    assert [run.state for run in server.runs.values()].count("finished") == 5
    again = launch(tmp_path, env)
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0, output
    check(server, root)
    assert not server.unknown


@pytest.mark.slow
def test_a_retry_goes_on_with_the_run_that_is_open(
    server: Server, env: dict[str, str], tmp_path: Path
) -> None:
    """sweep.retries=1: the run never looks failed, and its rows are whole."""
    root = tmp_path / "outputs" / "sweeps" / "six"
    process = launch(tmp_path, env, "sweep.retries=1")
    kill_a_worker(root, process)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    check(server, root)


@pytest.mark.slow
def test_a_stack_is_mirrored_run_by_run(
    server: Server, env: dict[str, str], tmp_path: Path
) -> None:
    """Two stacks of three, one of them killed half-way: W&B sees runs, and no stacks."""
    stack = ["hydra/launcher=stack", "hydra.launcher.workers=1"]
    root = tmp_path / "outputs" / "sweeps" / "six"
    process = launch(tmp_path, env, *stack)
    kill_a_worker(root, process)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert "2 stacks of 3 + 3 runs" in output
    states = [run.state for run in server.runs.values()]
    assert (states.count("failed"), states.count("finished")) == (3, 3)
    again = launch(tmp_path, env, *stack)
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0, output
    check(server, root)
    assert not server.unknown


@pytest.mark.slow
def test_nothing_stays_among_temporary_files(
    server: Server, env: dict[str, str], tmp_path: Path
) -> None:
    """wandb puts ten pictures a run there, which a thousand runs would make ten thousand."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = {**env, "TMPDIR": str(temporary)}
    process = launch(tmp_path, env, "tracker.mode=offline", "tracker.artifact=true")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert not list(temporary.iterdir())
    command = [sys.executable, "-m", "mnist_seq.sync", "sweep=outputs/sweeps/six"]
    subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, timeout=120)
    check(server, tmp_path / "outputs" / "sweeps" / "six")
    assert not list(temporary.iterdir())
    command = [sys.executable, "-m", "mnist_seq.compare", "source=wandb", "group=six",
               "wandb_report=true"]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, timeout=120)
    assert not list(temporary.iterdir())
