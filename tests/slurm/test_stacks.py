"""Stacks inside jobs of a real Slurm: what goes wrong in a stack costs as little as elsewhere."""

import pytest

from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.pool.answer import AnswerFile
from tests.slurm.cluster import missing
from tests.slurm.conftest import LONG, TINY, has_checkpoint
from tests.sweep.conftest import SweepRunner, changes, wait_until
from tests.sweep.trouble import CALLBACK

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.exhaustive,
    pytest.mark.skipif(bool(missing()), reason=missing()),
]

STACKED = ["hydra.launcher.runs_per_job=8", "hydra.launcher.stacks_on=anything"]


def test_what_stops_one_run_of_a_stack_lets_the_others_go_on(sweep: SweepRunner) -> None:
    """In the same job, from their checkpoints: they have no fault."""
    process = sweep.start(*LONG, *STACKED, "model=gru", "seed=range(3)", "sweep.name=o")
    folder = sweep.sweep("o")
    wait_until(lambda: has_checkpoint(folder, "seed=1"), process)
    _order_to_stop(folder, "seed=1")
    process.communicate(timeout=200)  # a job that soon ends takes the blame, and seed=1 goes on
    assert changes(folder, "interrupted") == ["seed=1"]
    assert changes(folder, "finished")[:2] == ["seed=0", "seed=2"]
    assert sorted({*changes(folder, "submitted")}) == ["seed=0", "seed=1", "seed=2"]
    assert [changes(folder, "submitted").count(f"seed={i}") for i in (0, 2)] == [1, 1]


def _order_to_stop(folder: SweepFolder, run: str) -> None:
    (call,) = [row["call"] for row in folder.ledger() if row["change"] == "submitted"
               and row["run"] == run]  # fmt: skip
    AnswerFile(folder.path / ".at_work" / f"{run}.lock", call).order("stop")


def test_a_stack_that_does_not_fit_into_a_job_is_halved_there(sweep: SweepRunner) -> None:
    """By a real limit on the process's memory, which takes some runs and not all of them."""
    sweep.trouble(**{f"seed={seed}": "little memory" for seed in range(8)})
    words = [word for word in TINY if not word.startswith(("data.limit", "model.hidden"))]
    sweep(*words, *STACKED, CALLBACK, "model.hidden=40", "data.limit=2000", "seed=range(8)",
          "training.batch_size=1000", "training.epochs=2", "hydra.launcher.max_runs=8",
          "hydra.launcher.parameters.mem_gb=4", "sweep.name=m")  # fmt: skip
    folder = sweep.sweep("m")
    assert len(changes(folder, "finished")) == 8
    assert {run.record()["stack"] for run in folder.runs()} <= {1, 2, 3, 4}
    assert len(changes(folder, "submitted")) == 8, "in the same job"
