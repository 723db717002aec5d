"""One Slurm for all tests of this folder, and sweeps on it."""

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.progress import Seen, look
from tests.slurm.cluster import Cluster, cluster, missing
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
# for what only a Slurm with accounts has
accounted = pytest.mark.parametrize("slurm", ["_accounted"], indirect=True, ids=["with"])


@pytest.fixture(scope="session")
def _plain() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="slurm") as folder, cluster(Path(folder)) as running:
        yield running


@pytest.fixture(scope="session")
def _accounted() -> Iterator[Cluster]:
    if reason := missing(accounting=True):
        pytest.skip(reason)
    with (
        tempfile.TemporaryDirectory(prefix="slurm") as folder,
        cluster(Path(folder), accounting=True) as running,
    ):
        yield running


@pytest.fixture(params=["_plain", "_accounted"], ids=["without", "with"])
def slurm(request: pytest.FixtureRequest) -> Cluster:
    """Slurm without accounting, and with it: each event is shown on both."""
    found: Cluster = request.getfixturevalue(request.param)
    return found


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


def has_checkpoint(folder: SweepFolder, *names: str) -> bool:
    return all(folder.run(name).checkpoint_path.exists() for name in names)


def job_of(folder: SweepFolder, run: str) -> str:
    """The id of the run's last job."""
    return [str(row["job"]) for row in folder.ledger() if row["change"] == "submitted"
            and row["run"] == run][-1]  # fmt: skip


def look_by(slurm: Cluster, folder: SweepFolder) -> Seen:
    """What `mnist_seq.status` sees on this cluster."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in slurm.env.items():
            patch.setenv(name, value)
        return look(folder)


@pytest.fixture
def by_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SweepRunner]:
    """A command beside the cluster, in a folder of its own, whose numbers must be the same."""
    runner = SweepRunner(tmp_path_factory.mktemp("pool"))
    yield runner
    runner.close()
