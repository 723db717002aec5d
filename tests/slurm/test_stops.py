"""Whatever stops a job in the field, on a real Slurm: its run goes on, and no number moves."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from mnist_seq.runs.sweep_folder import SweepFolder
from tests.slurm.cluster import Cluster, missing
from tests.slurm.conftest import LONG, TINY, accounted, has_checkpoint, job_of, look_by
from tests.sweep.conftest import SweepRunner, changes, numbers, wait_until
from tests.sweep.trouble import CALLBACK

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.exhaustive,
    pytest.mark.skipif(bool(missing()), reason=missing()),
]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the runs of `LONG` with two seeds reach in the pool."""
    by_pool = SweepRunner(tmp_path_factory.mktemp("pool"))
    by_pool(*LONG, "seed=0,1", "sweep.name=s")
    yield {run.path.name: numbers(run) for run in by_pool.sweep("s").runs()}
    by_pool.close()


def has_new_checkpoint(folder: SweepFolder, run: str, start: int) -> bool:
    """Whether a run has a checkpoint of its `start`th job."""
    if changes(folder, "started").count(run) < start or not has_checkpoint(folder, run):
        return False
    began = [row["time"] for row in folder.ledger() if row["change"] == "started"
             and row["run"] == run][-1]  # fmt: skip
    written = folder.run(run).checkpoint_path.stat().st_mtime
    return written > datetime.fromisoformat(began).timestamp()


def test_scancel_of_all_jobs_costs_no_run(
    sweep: SweepRunner, slurm: Cluster, undisturbed: dict[str, Any]
) -> None:
    """A maintenance of the cluster ends everybody's jobs at once; so does a typing error."""
    process, folder = sweep.start(*LONG, "seed=0,1", "sweep.name=a"), sweep.sweep("a")
    wait_until(lambda: has_checkpoint(folder, "seed=0", "seed=1"), process)
    slurm("scancel", "--name=a")
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert output.count("stopped by Slurm: scancel; it goes on") == 2
    assert {run.path.name: numbers(run) for run in folder.runs()} == undisturbed


def test_a_run_goes_on_through_three_time_limits(
    sweep: SweepRunner, slurm: Cluster, undisturbed: dict[str, Any]
) -> None:
    """A run that is longer than the queue allows is trained in as many jobs as it needs."""
    sweep.trouble(**{"seed=0": "slow"})
    process, folder = sweep.start(*LONG, CALLBACK, "seed=0,1", "sweep.name=t"), sweep.sweep("t")
    for num in range(1, 4):
        wait_until(lambda num=num: has_new_checkpoint(folder, "seed=0", num), process)  # type: ignore[misc]
        # in seconds, where timeout_min has minutes; Slurm looks for such jobs every 30 s
        slurm("scontrol", "update", f"JobId={job_of(folder, 'seed=0')}", "EndTime=now+1")
        wait_until(lambda num=num: len(changes(folder, "interrupted")) == num, process)  # type: ignore[misc]
    sweep.no_trouble()
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert output.count("interrupted seed=0  stopped by Slurm: time limit; it goes on") == 3
    assert {run.path.name: numbers(run) for run in folder.runs()} == undisturbed


@pytest.mark.parametrize("partition", ["requeued", "cancelled"])
def test_a_run_that_is_preempted_goes_on(
    sweep: SweepRunner, slurm: Cluster, partition: str, undisturbed: dict[str, Any]
) -> None:
    """Cheap partitions are preempted; Slurm's own requeue would train a run unwatched."""
    where = f"++hydra.launcher.parameters.slurm_partition={partition}"
    process, folder = sweep.start(*LONG, "seed=0,1", "sweep.name=e", where), sweep.sweep("e")
    wait_until(lambda: has_checkpoint(folder, "seed=0", "seed=1"), process)
    slurm("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=true")
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert output.count("stopped by Slurm: preemption; it goes on") == 2
    assert {run.path.name: numbers(run) for run in folder.runs()} == undisturbed


def test_a_job_on_hold_waits_and_a_requeue_is_refused(
    sweep: SweepRunner, slurm: Cluster, undisturbed: dict[str, Any]
) -> None:
    """An administrator may hold jobs for hours: nothing may give them up, or submit them twice."""
    slurm("scontrol", "update", f"NodeName={slurm.node}", "State=DRAIN", "Reason=test")
    try:
        process, folder = sweep.start(*LONG, "seed=0,1", "sweep.name=h"), sweep.sweep("h")
        wait_until(lambda: len(changes(folder, "submitted")) == 2, process)
        held = job_of(folder, "seed=1")
        slurm("scontrol", "hold", held)
        seen = {run.name: run.words for run in look_by(slurm, folder).runs}
    finally:
        slurm("scontrol", "update", f"NodeName={slurm.node}", "State=RESUME")
    assert f"job {held}, pending" in seen["seed=1"]
    assert ": JobHeld" in seen["seed=1"]
    wait_until(lambda: has_checkpoint(folder, "seed=0"), process)
    with pytest.raises(Exception, match="returned non-zero exit status"):
        slurm("scontrol", "requeue", job_of(folder, "seed=0"))
    wait_until(lambda: changes(folder, "finished") == ["seed=0"], process)
    slurm("scontrol", "release", held)
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert f"job {held} waits in Slurm's queue: JobHeld" in output
    assert changes(folder, "submitted") == ["seed=0", "seed=1"]
    assert {run.path.name: numbers(run) for run in folder.runs()} == undisturbed


@accounted
def test_a_lack_of_memory_is_named(sweep: SweepRunner, slurm: Cluster) -> None:
    """Three runs that die of it stop a sweep; the reason must say what to raise."""
    words = [*TINY, "seed=0", "sweep.name=m", "++hydra.launcher.parameters.slurm_mem=60MB"]
    output = sweep(*words, "~hydra.launcher.parameters.mem_gb", code=1)
    assert re.search(r"FAILED run  .*memory.*hydra\.launcher\.parameters\.mem_gb", output), output
