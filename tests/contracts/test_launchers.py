"""Every launcher of conf/hydra/launcher keeps the contract of `mnist_seq.sweep.engines`."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from mnist_seq.config import ConfigError
from mnist_seq.config.paths import conf_dir, options
from mnist_seq.runs.folder import RunFolder, find_runs
from mnist_seq.sweep.engines import Launcher, launcher_of
from tests.sweep.conftest import (
    SMALL,
    SweepRunner,
    changes,
    gone,
    numbers,
    wait_until,
)

LAUNCHERS = options("hydra/launcher")
SEEDS = (0, 1, 2)
TINY = [*SMALL, "model.hidden=8", "data.limit=1200"]
SWEEP = [f"seed={','.join(map(str, SEEDS))}", "sweep.baseline=none", "sweep.name=s"]
LONG = [*TINY, "training.epochs=40"]  # 480 steps


def keys_of(name: str) -> dict[str, Any]:
    """The keys of a launcher's YAML."""
    values = OmegaConf.to_container(OmegaConf.load(conf_dir() / "hydra/launcher" / f"{name}.yaml"))
    assert isinstance(values, dict)
    assert values.pop("_target_") == "hydra_plugins.mnist_seq.launcher.PlanLauncher"
    return {str(key): value for key, value in values.items()}


def launcher(name: str, **changed: Any) -> Launcher:
    keys = {**keys_of(name), **changed}
    return launcher_of(name, keys.pop("engine"), keys)


def missing(name: str) -> str:
    """What this machine lacks for a launcher, or ""."""
    try:
        launcher(name)
    except ConfigError as error:
        return str(error)
    is_slurm = keys_of(name).get("cluster") == "slurm"
    return "no Slurm answers here; tests/slurm starts one" if is_slurm and not has_slurm() else ""


def has_slurm() -> bool:
    """Whether this machine belongs to a Slurm cluster that is up."""
    words = ["sinfo", "--noheader"]
    return (
        bool(shutil.which("sinfo")) and subprocess.run(words, capture_output=True).returncode == 0
    )


RUNNABLE = [
    pytest.param(name, marks=pytest.mark.skipif(bool(why := missing(name)), reason=why))
    for name in LAUNCHERS
]


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[SweepRunner]:
    runner = SweepRunner(tmp_path)
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[int, RunFolder]:
    """Each run by itself, without a sweep."""
    runner = SweepRunner(tmp_path_factory.mktemp("alone"))
    for seed in SEEDS:
        runner.alone(*TINY, f"seed={seed}", f"hydra.run.dir=run{seed}")
    return {seed: RunFolder(runner.folder / f"run{seed}") for seed in SEEDS}


@pytest.mark.parametrize("name", LAUNCHERS)
def test_what_it_offers_is_one_value_and_no_key_is_passed_over(name: str) -> None:
    """A mistyped key that is ignored is an experiment on other terms than its author thinks."""
    if importlib.util.find_spec(f"mnist_seq.sweep.engines.{keys_of(name)['engine']}") is None:
        pytest.fail(f"conf/hydra/launcher/{name}.yaml names no file of mnist_seq/sweep/engines")
    if "pip install" in missing(name):
        return  # its keys are checked where its package is
    offered = launcher(name).placement
    assert offered.grace_s > 0
    assert offered.workers == "auto" or offered.workers >= 1
    for key, value in (("nonsense", 1), ("workers", 0), ("workers", "many"), ("grace", -1)):
        with pytest.raises(ConfigError, match=rf"hydra\.launcher\.{key}"):
            launcher(name, **{key: value})


# The engines of other packages start processes of theirs, and `auto` is the pool on a CPU
SLOW = ("auto", "joblib", "ray", "submitit_local", "submitit_slurm")
OURS_FIRST = [
    pytest.param(
        *case.values, marks=[*case.marks, *[pytest.mark.slow] * (name in (*SLOW, "stack"))]
    )
    for name, case in zip(LAUNCHERS, RUNNABLE, strict=True)
]


@pytest.mark.parametrize("name", OURS_FIRST)
def test_a_failing_and_a_killed_run_are_lost_alone_and_the_same_command_runs_just_them(
    sweep: SweepRunner, alone: dict[int, RunFolder], name: str
) -> None:
    """Numbers and files of a run do not say how it was launched."""
    words = [*TINY, *SWEEP, f"hydra/launcher={name}"]
    is_stacked = launcher(name).placement.stacks_on == "anything"
    is_killed = name in ("pool", *SLOW)  # another may run its jobs in the command's own process
    trouble = {"seed=1": "raise", **({"seed=2": "kill"} if is_killed else {})}
    sweep.trouble(**trouble)
    output = sweep(*words, code=1)
    folder = sweep.sweep("s")
    assert f"{len(trouble)} failed" in output
    assert "the job's own fault" in folder.run("seed=1").error(), output
    assert re.search(r"seed=1: .*the job's own fault.*\n    outputs/sweeps/s/seed=1/log.txt",
                     output), output  # fmt: skip
    assert is_stacked or "Traceback" in (folder.run("seed=1").path / "log.txt").read_text()
    assert not is_killed or re.search(r"seed=2: .*(died|SIGKILL).*\n", output), output
    everything = [f"seed={seed}" for seed in SEEDS]
    assert sorted(changes(folder, "started")) == everything, "no run is tried again unasked"
    assert sorted(changes(folder, "failed")) == sorted(trouble)
    assert sorted(changes(folder, "finished")) == sorted({*everything} - {*trouble})
    sweep.no_trouble()
    before = len(folder.ledger())
    sweep(*words)
    again = [row["run"] for row in folder.ledger()[before:] if row["change"] == "started"]
    assert sorted(again) == sorted(trouble)
    for seed in SEEDS:
        run, other = folder.run(f"seed={seed}"), alone[seed]
        if is_stacked:  # to float32's rounding
            assert numbers(run)[0] == pytest.approx(numbers(other)[0], abs=5e-3)
        else:
            assert numbers(run) == numbers(other)
        assert names_in(run) == names_in(other)
        assert run.record().keys() == other.record().keys()
        assert f"- seed={seed}" in (run.path / ".hydra" / "overrides.yaml").read_text()
    assert "3 already done" in sweep(*words)
    assert gone(sweep.folder, 10)


def names_in(run: RunFolder) -> set[str]:
    """Files of a run, without what it printed and logged."""
    return {str(path.relative_to(run.path)) for path in run.path.rglob("*")} - {
        "log.txt",
        "train.log",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNNABLE)
def test_ctrl_c_saves_what_is_at_work_and_the_same_command_goes_on(
    sweep: SweepRunner, name: str
) -> None:
    words = [*LONG, "seed=0,1", *SWEEP[1:], f"hydra/launcher={name}"]
    process = sweep.start(*words)
    folder = sweep.sweep("s")
    wait_until(lambda: any(folder.path.glob("*/checkpoint.pt")), process)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "to go on: " in output
    assert changes(folder, "interrupted"), output
    assert not changes(folder, "failed"), output
    assert gone(sweep.folder, 10)
    sweep(*words)
    sweep(*LONG, "seed=0,1", "sweep.baseline=none", "sweep.name=whole")
    if launcher(name).placement.stacks_on != "anything":
        for seed in (0, 1):
            run, whole = (sweep.sweep(s).run(f"seed={seed}") for s in ("s", "whole"))
            assert numbers(run) == numbers(whole)
    assert {run.state() for run in find_runs(folder.path)} == {"finished"}
