"""Runs a sweep with a launcher of Hydra or of a plugin, such as `hydra/launcher=basic`.

Such a launcher gets the overrides of each run. The results are read from the run folders, because
the launcher's own answer is lost when a worker dies.
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
    """A launcher that is not ours. It composes the config of each run again."""

    hydras: Launcher

    @property
    def placement(self) -> Placement:
        """Unknown; time estimates assume one run on each core."""
        return Placement(workers="auto", grace_s=0.0)

    def launch(self, plan: Plan, *, sweep_name: str) -> str:
        """Run a plan, then write the ledger from the run folders.

        Returns:
            Why the launcher failed, or "".
        """
        jobs = [
            [
                *run.overrides,
                f"sweep.name={quoted(sweep_name)}",
                f"hydra.sweep.subdir={quoted(run.name)}",
                # as it was planned: a run composes its config again
                *[f"device.kernel={run.config.device.kernel}"] * run.variant.is_kernel_chosen,
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
