"""What happens to jobs in the field, on a real Slurm, and what becomes of their runs."""

import contextlib
import os
import re
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from mnist_seq.runs.sweep_folder import SweepFolder
from tests.slurm.cluster import Cluster, missing
from tests.slurm.conftest import LONG, TINY, accounted, has_checkpoint, job_of, look_by
from tests.sweep.conftest import SweepRunner, changes, numbers, processes_of, wait_until

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.exhaustive,
    pytest.mark.skipif(bool(missing()), reason=missing()),
]


def python_of(folder: SweepFolder, job: str) -> int:
    """The process that trains in a job."""
    for pid in processes_of(folder.path.parents[2]):
        with contextlib.suppress(OSError):
            env = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            is_ours = f"SLURM_JOB_ID={job}".encode() in env
            if is_ours and Path(f"/proc/{pid}/comm").read_text().startswith("python"):
                return pid
    raise AssertionError(f"nothing trains in job {job}")


def assert_equal_to_the_pools(folder: SweepFolder, by_pool: SweepRunner, *words: str) -> None:
    """Whether the runs of a sweep have the numbers that the pool gives."""
    by_pool(*words)
    undisturbed = by_pool.sweep(folder.path.name)
    for run in folder.runs():
        assert numbers(run) == numbers(undisturbed.run(run.path.name))


def test_what_slurm_stops_goes_on_and_what_dies_fails(
    sweep: SweepRunner, slurm: Cluster, by_pool: SweepRunner
) -> None:
    """A job that was cancelled is no failure; a process that died is one, also where nothing is
    accounted; and neither moves a number."""
    words = [*LONG, "seed=0,1", "sweep.name=s"]
    process, folder = sweep.start(*words), sweep.sweep("s")
    wait_until(lambda: has_checkpoint(folder, "seed=0", "seed=1"), process)
    slurm("scancel", job_of(folder, "seed=0"))
    os.kill(python_of(folder, job_of(folder, "seed=1")), signal.SIGKILL)
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 1, output
    assert "interrupted seed=0  stopped by Slurm: scancel; it goes on" in output
    assert re.search(r"FAILED seed=1  its process died \(Slurm: job \d+ FAILED\)", output), output
    assert changes(folder, "interrupted") == changes(folder, "resubmitted") == ["seed=0"]
    assert set(slurm.jobs()) >= {job_of(folder, "seed=0")}
    assert set(slurm.jobs("s")), "the jobs have the sweep's name"
    sweep(*words)
    assert changes(folder, "failed") == ["seed=1"]
    assert_equal_to_the_pools(folder, by_pool, *words)


def test_a_command_that_was_killed_finds_its_jobs_again(
    sweep: SweepRunner, slurm: Cluster, by_pool: SweepRunner
) -> None:
    """A lost connection to the login node must not train everything twice; neither must a restart
    of the node's daemon."""
    words = [*LONG, "seed=0,1", "sweep.name=k", "hydra.launcher.workers=2"]
    process, folder = sweep.start(*words), sweep.sweep("k")
    wait_until(lambda: has_checkpoint(folder, "seed=0", "seed=1"), process)
    process.kill()
    process.communicate()
    slurm.kill("slurmd")
    slurm.daemon("slurmd", "-D")
    output = sweep(*words)
    assert "2 jobs of an earlier command are still in Slurm's queue" in output
    assert sorted(changes(folder, "submitted")) == sorted(changes(folder, "finished"))
    assert sorted(changes(folder, "finished")) == ["seed=0", "seed=1"]
    assert_equal_to_the_pools(folder, by_pool, *words)


def test_the_clock_of_a_run_starts_with_the_run_and_slurm_queues_none_again(
    sweep: SweepRunner, slurm: Cluster
) -> None:
    """Hours in the queue are no hours of the run; a job that is requeued would be trained twice."""
    slurm("scontrol", "update", f"NodeName={slurm.node}", "State=DRAIN", "Reason=test")
    words = [*TINY, "seed=0", "sweep.name=q", "sweep.timeout=60"]
    process, folder = sweep.start(*words), sweep.sweep("q")
    try:
        wait_until(lambda: "PENDING" in slurm.jobs("q").values(), process)
        assert changes(folder, "started") == []
        with pytest.raises(Exception, match="returned non-zero exit status"):
            slurm("scontrol", "requeue", job_of(folder, "run"))
    finally:
        slurm("scontrol", "update", f"NodeName={slurm.node}", "State=RESUME")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    order = [row["change"] for row in folder.ledger() if row["run"] == "run"]
    assert order == ["planned", "submitted", "started", "finished"]


def test_ctrl_c_ends_also_when_slurm_does_not_answer(sweep: SweepRunner, slurm: Cluster) -> None:
    """A command that cannot be stopped is killed by hand, and loses its summary."""
    words = [*LONG, "training.epochs=9000", "seed=0,1", "sweep.name=i", "hydra.launcher.grace=2"]
    process, folder = sweep.start(*words), sweep.sweep("i")
    wait_until(lambda: has_checkpoint(folder, "seed=0", "seed=1"), process)
    slurm.kill("slurmctld")
    try:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    finally:
        slurm.daemon("slurmctld", "-D")
    assert process.returncode == 130, output
    assert "to go on: " in output
    assert sorted(changes(folder, "interrupted")) == ["seed=0", "seed=1"]


def test_a_detached_sweep_is_looked_at_and_collected(
    sweep: SweepRunner, slurm: Cluster, by_pool: SweepRunner
) -> None:
    """Sites forbid long processes on the login node: submit, leave, and come back."""
    words = [*TINY, "seed=range(12)", "sweep.name=d", "hydra.launcher.detach=true"]
    slurm("scontrol", "update", f"NodeName={slurm.node}", "State=DRAIN", "Reason=test")
    try:
        output, folder = sweep(*words), sweep.sweep("d")
        assert "12 runs submitted: " in output
        assert {run.state for run in look_by(slurm, folder).runs} == {"queued"}
        assert "12 runs in the queue or at work: " in sweep(*words)
        slurm("scancel", job_of(folder, "seed=3"))
        assert "1 run submitted: " in sweep(*words)
    finally:
        slurm("scontrol", "update", f"NodeName={slurm.node}", "State=RESUME")
    jobs = {row["job"] for row in folder.ledger() if row["change"] == "submitted"}
    assert len({job.partition("_")[0] for job in jobs}) == 2, "an array, and the one that was lost"
    wait_until(lambda: not look_by(slurm, folder).is_alive)
    assert {run.state for run in look_by(slurm, folder).runs} == {"finished"}
    assert "12 of 12 runs done, 12 of them before" in sweep(*words)
    assert_equal_to_the_pools(folder, by_pool, *words[:-1])


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("++hydra.launcher.parameters.slurm_partition=nope", "nvalid partition"),
        ("hydra.launcher.parameters.mem_gb=900", "not available"),
        ("++hydra.launcher.parameters.slurm_gres=gpu:h100:1", "not available"),
    ],
)
def test_what_slurm_refuses_is_said_in_one_line_before_a_run_begins(
    sweep: SweepRunner, word: str, says: str
) -> None:
    output = sweep(*TINY, "seed=0", "sweep.name=r", word, code=1)
    (refusal,) = [line for line in output.splitlines() if line.startswith("mnist_seq: ")]
    assert says in refusal, output
    assert "Slurm must take the jobs of a sweep, and sbatch says: " in refusal
    assert "sbatch: error" not in output, "it stands there once"
    assert changes(sweep.sweep("r"), "submitted") == []


@accounted
def test_keys_of_the_yaml_reach_the_job(sweep: SweepRunner, slurm: Cluster, tmp_path: Path) -> None:
    """What a site asks for must work as the comments of the launcher's YAML have it."""
    image = tmp_path / "exec"
    image.write_text('#!/bin/sh\ntouch inside; shift; exec "$@"\n')
    image.chmod(0o755)
    parameters = {
        "name": "mine", "slurm_partition": "cancelled", "slurm_account": "lab", "slurm_qos": "long",
        "slurm_constraint": "fast", "slurm_gres": "gpu:a100:1", "slurm_signal_delay_s": "77",
        "slurm_setup": "[touch set_up]", "slurm_additional_parameters": "{comment: hello}",
    }  # fmt: skip
    words = [f"++hydra.launcher.parameters.{key}={value}" for key, value in parameters.items()]
    sweep(*TINY, "seed=0", "sweep.name=y", "~hydra.launcher.parameters.gpus_per_node", *words,
          f"hydra.launcher.python='{image} image.sif {sys.executable}'")  # fmt: skip
    job = slurm("scontrol", "show", "job", job_of(sweep.sweep("y"), "run"))
    for said in ("JobName=mine", "Partition=cancelled", "Account=lab", "QOS=long", "Features=fast",
                 "TresPerNode=gres:gpu:a100:1", "Comment=hello", "Requeue=0"):  # fmt: skip
        assert said in job
    assert "#SBATCH --signal=USR2@77" in next(sweep.folder.rglob("*_submission.sh")).read_text()
    assert {path.name for path in tmp_path.rglob("*") if path.name in ("inside", "set_up")} == {
        "inside",
        "set_up",
    }


def test_jobs_of_many_runs_hand_back_what_they_have_not_begun(
    sweep: SweepRunner, slurm: Cluster, by_pool: SweepRunner
) -> None:
    """An allocation for each run of a second wastes the queue; a job that dies must cost only what
    it was training, and move no number."""
    packed = ["hydra.launcher.runs_per_job=10", "sweep.name=p"]
    words = [*TINY, "seed=range(40)", "training.epochs=4", "training.checkpoint_every=5"]
    process, folder = sweep.start(*words, *packed), sweep.sweep("p")
    wait_until(lambda: len(changes(folder, "started")) > 2, process)
    job = job_of(folder, changes(folder, "started")[-1])
    os.kill(main_of(folder, job), signal.SIGKILL)
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    assert "; its turn had not come" in output
    rows = [row for row in folder.ledger() if row["change"] == "submitted"]
    assert len({row["job"] for row in rows[:40]}) == 4
    assert sorted(changes(folder, "finished")) == sorted(run.path.name for run in folder.runs())
    assert changes(folder, "failed") == []
    assert_equal_to_the_pools(folder, by_pool, *words, "sweep.name=p")


def main_of(folder: SweepFolder, job: str) -> int:
    """The process of a job that starts its runs: the first one."""
    found = []
    for pid in processes_of(folder.path.parents[2]):
        with contextlib.suppress(OSError):
            env = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if f"SLURM_JOB_ID={job}".encode() in env and b"submitit.core._submit" in words:
                found.append(pid)
    return max(found)


def test_packed_jobs_are_detached_looked_at_and_collected(
    sweep: SweepRunner, slurm: Cluster, by_pool: SweepRunner
) -> None:
    """What one job trains and what waits in it for its turn are seen apart; a job that is cancelled
    gives back all its runs."""
    words = [*TINY, "seed=range(12)", "training.epochs=4", "sweep.name=dp"]
    packed = ["hydra.launcher.detach=true", "hydra.launcher.runs_per_job=4"]
    slurm("scontrol", "update", f"NodeName={slurm.node}", "State=DRAIN", "Reason=test")
    try:
        output, folder = sweep(*words, *packed), sweep.sweep("dp")
        assert "12 runs submitted in 3 jobs: " in output
        assert {run.state for run in look_by(slurm, folder).runs} == {"queued"}
        slurm("scancel", job_of(folder, "seed=5"))
        again = sweep(*words, *packed)
        assert "4 runs submitted in 1 job: " in again
        assert "8 runs in the queue or at work: " in again
    finally:
        slurm("scontrol", "update", f"NodeName={slurm.node}", "State=RESUME")
    wait_until(lambda: not look_by(slurm, folder).is_alive)
    assert "12 of 12 runs done, 12 of them before" in sweep(*words, *packed)
    assert_equal_to_the_pools(folder, by_pool, *words)


def test_a_job_of_many_runs_trains_them_as_a_stack(
    sweep: SweepRunner, slurm: Cluster, by_pool: SweepRunner
) -> None:
    """A GPU is idle beside one tiny run. Stacks in a job have the bits of the plain launcher's; one
    that is killed goes on, to rounding, since the kill may come between two checkpoints."""
    words = [*LONG, "model=gru", "seed=range(8)", "sweep.name=st"]
    packed = ["hydra.launcher.runs_per_job=4", "hydra.launcher.stacks_on=anything"]
    process, folder = sweep.start(*words, *packed), sweep.sweep("st")
    names = [f"seed={seed}" for seed in range(8)]
    wait_until(lambda: has_checkpoint(folder, *names[:4]), process)
    os.kill(main_of(folder, job_of(folder, names[0])), signal.SIGKILL)
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert output.count("stopped by Slurm: it ended with its job") == 4
    assert len({row["job"] for row in folder.ledger() if row["change"] == "submitted"}) == 3
    by_pool(*words, "hydra/launcher=stack", "hydra.launcher.workers=1", "hydra.launcher.max_runs=4")
    for i, name in enumerate(names):
        run, undisturbed = folder.run(name), by_pool.sweep("st").run(name)
        assert run.record()["stack"] == undisturbed.record()["stack"] == 4
        if i < 4:
            assert run.result()["metrics"] == pytest.approx(
                undisturbed.result()["metrics"], rel=1e-3, abs=5e-3
            )
        else:
            assert numbers(run) == numbers(undisturbed)


def test_the_trials_of_a_search_share_jobs(sweep: SweepRunner, slurm: Cluster) -> None:
    """Each trial is asked for when another one ends, and none may have an allocation of its own."""
    words = [*TINY[:-2], "hydra/sweeper=optuna", "hydra.sweeper.n_trials=9", "sweep.name=o"]
    sweep(*words, "optimizer.lr=interval(0.001,0.1)", "hydra.launcher.workers=1",
          "hydra.launcher.runs_per_job=3")  # fmt: skip
    jobs = [row["job"] for row in sweep.sweep("o").ledger() if row["change"] == "submitted"]
    assert sorted(Counter(jobs).values()) == [3, 3, 3]
