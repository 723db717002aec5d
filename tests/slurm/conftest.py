"""One Slurm for all tests of this folder, and sweeps on it."""

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.cluster import Cluster, cluster
from tests.sweep.conftest import SweepRunner

TINY = [
    "data=mnist_5k", "data.limit=200", "model.hidden=4", "tracker=none", "sweep.baseline=none",
    "device.kernel=torch",  # as a job's default is: its CPU is not known to the plan
]  # fmt: skip
# some hundred evaluations and checkpoints, so that there is always one to go on from
LONG = [*TINY, "training.epochs=200", "training.checkpoint_every=5"]
ON_SLURM = [
    "hydra/launcher=submitit_slurm",
    "hydra.launcher.poll=1",
    "hydra.launcher.parameters.mem_gb=1",
]


@pytest.fixture(scope="session")
def slurm() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="slurm") as folder, cluster(Path(folder)) as running:
        yield running


@pytest.fixture
def sweep(tmp_path: Path, slurm: Cluster) -> Iterator[SweepRunner]:
    """`python -m mnist_seq.train -m` with the launcher submitit_slurm."""
    runner = _OnSlurm(tmp_path)
    runner.start = functools.partial(runner.start, *ON_SLURM, **slurm.env)  # type: ignore[method-assign]
    yield runner
    jobs = [job for job, state in slurm.jobs().items() if state in ("PENDING", "RUNNING")]
    for job in jobs:
        slurm("scancel", "--full", "--signal=KILL", job, check=False)
        slurm("scancel", job, check=False)
    runner.close()


class _OnSlurm(SweepRunner):
    start: Any
