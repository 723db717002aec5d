"""All commands work on a system that lacks what Windows or macOS lacks, with the same numbers.

Simulated on Linux: what Python cannot see there is taken away. Not on such a machine.
"""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.runs.folder import RunFolder
from tests.systems.conftest import SMALL, Run, environment
from tests.systems.without.sitecustomize import SETS

EACH = sorted(set(itertools.chain(*SETS.values())))
TWO = ("-m", *SMALL, "model=lstm,gru")


def metrics(folder: Path) -> dict[str, Any]:
    return {k: v for k, v in RunFolder(folder).result()["metrics"].items() if "second" not in k}


@pytest.mark.slow
def test_windows(run: Run, tmp_path: Path) -> None:
    """A sweep; text files are UTF-8."""
    run("windows,encoding", "train", *TWO, "sweep.name=two", "training.eval_every=2")
    said = (tmp_path / "outputs/sweeps/two/model=gru/log.txt").read_text(encoding="utf-8")
    assert "parameters" in said  # not lost in a console
    assert "test accuracy" in said
    assert "not counted" not in said


@pytest.mark.slow
@pytest.mark.parametrize("system", SETS)
def test_a_sweep_has_the_bits_of_linux(run: Run, tmp_path: Path, system: str) -> None:
    run("", "train", *TWO, "sweep.name=linux")
    run(system, "train", *TWO, "sweep.name=there")
    run(f"{system},encoding", "compare", "sweep=outputs/sweeps/there")
    run(system, "train", *SMALL, "model=gru", "hydra.run.dir=alone")
    assert metrics(tmp_path / "alone") == metrics(tmp_path / "outputs/sweeps/there/model=gru")
    run(system, "train", *TWO, "sweep.name=stacked", "hydra/launcher=stack",
        "hydra.launcher.stacks_on=anything", "model=gru", "seed=0,1")  # fmt: skip
    sweeps = tmp_path / "outputs/sweeps"
    for name in ("model=lstm", "model=gru"):
        assert metrics(sweeps / "linux" / name) == metrics(sweeps / "there" / name)
    results = [sweeps / "there" / name / "result.json" for name in ("model=lstm", "model=gru")]
    written = [path.stat().st_mtime_ns for path in results]
    run(system, "train", *TWO, "sweep.name=there")
    assert [path.stat().st_mtime_ns for path in results] == written  # reused


@pytest.mark.slow
@pytest.mark.exhaustive  # the sets hold them all; this finds which one is at fault
@pytest.mark.parametrize("feature", EACH)
def test_each_feature_may_be_missing(run: Run, feature: str) -> None:
    run(feature, "train", "-m", *SMALL, "sweep.name=s", "seed=0,1")
    run(feature, "compare", "sweep=outputs/sweeps/s", "formats=[csv]")


@pytest.mark.slow
def test_wandb_offline(run: Run, tmp_path: Path) -> None:
    """The mirror process starts, mirrors and ends."""
    words = [word for word in TWO if word != "tracker=none"]
    said = run("windows", "train", *words, "sweep.name=s", "tracker.mode=offline")
    assert list(tmp_path.rglob("run-*.wandb")), said


@pytest.mark.slow
@pytest.mark.parametrize("system", SETS)
def test_a_stop_keeps_the_checkpoint(run: Run, tmp_path: Path, system: str) -> None:
    """No signal reaches the runs: they are told through their pipes, and go on bit for bit."""
    words = [*TWO, "training.epochs=1000", "training.eval_every=1000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mnist_seq.train", *words, "sweep.name=s"],
        cwd=tmp_path,
        env=environment(system),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    logs = [tmp_path / f"outputs/sweeps/s/model={cell}/metrics.jsonl" for cell in ("lstm", "gru")]
    end = time.monotonic() + 120
    while not all(log.exists() for log in logs):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.1)  # the runs are other processes'
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    folders = [RunFolder(log.parent) for log in logs]
    assert all(folder.state() == "interrupted" for folder in folders), said
    kept = [folder.path / "checkpoint.pt" for folder in folders]
    assert all(path.exists() for path in kept), said
    assert "killed" not in said
    run(system, "train", *words, "sweep.name=s")
    run("", "train", *words, "sweep.name=whole")
    for folder in folders:
        whole = tmp_path / "outputs/sweeps/whole" / folder.path.name
        assert metrics(folder.path) == metrics(whole)
