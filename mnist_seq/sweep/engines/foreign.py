"""Other launchers of Hydra, such as `hydra/launcher=basic`: they take runs as lists of overrides.

What came of the runs is read from their folders: such a launcher may lose its answer when a worker
dies.
"""

import logging
from dataclasses import dataclass

from hydra.plugins.launcher import Launcher

from mnist_seq.runs.commands import quoted
from mnist_seq.sweep.engines import Placement
from mnist_seq.sweep.plan.planner import Plan
from mnist_seq.sweep.pool.failures import reason

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ForeignLauncher:
    """A launcher that is not ours. It composes each run's config again from its overrides."""

    hydras: Launcher

    @property
    def placement(self) -> Placement:
        """Nothing is known about it: estimates take one run a core."""
        return Placement(workers="auto", grace_s=0.0)

    def launch(self, plan: Plan, *, sweep_name: str) -> str:
        """Run a plan, and write the ledger from what lies on the disk.

        Returns:
            Why the launcher gave up, or "".
        """
        jobs = [
            [
                *run.overrides,
                f"sweep.name={quoted(sweep_name)}",
                f"hydra.sweep.subdir={quoted(run.name)}",
            ]
            for run in plan.todo
        ]
        name = type(self.hydras).__name__
        for run in plan.todo:
            run.folder.clear_error()
            plan.folder.note("started", run.name, launcher=name)
        stopped = ""
        try:
            self.hydras.launch(jobs, initial_job_idx=0)
        except Exception as error:
            stopped = f"{name}: {type(error).__name__}: {error}".splitlines()[0]
            log.warning("%s", stopped)
        finally:
            _note_ends(plan, stopped)
        return stopped


def _note_ends(plan: Plan, stopped: str) -> None:
    for run in plan.todo:
        state = run.folder.state()
        if state == "failed":
            plan.folder.note("failed", run.name, reason=reason(run.folder))
        elif state in ("finished", "diverged"):
            plan.folder.note(state, run.name)
        else:
            plan.folder.note("interrupted", run.name, reason=stopped or "it left no result")
