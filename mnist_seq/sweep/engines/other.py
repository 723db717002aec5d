"""Launchers of Hydra and its plugins, such as `hydra/launcher=basic`.

They take the plan's runs as lists of overrides. What came of them is read from the run folders,
since a launcher may lose its word when a worker dies.
"""

import logging

from hydra.plugins.launcher import Launcher

from mnist_seq.runs.words import quoted
from mnist_seq.sweep.plan.planner import Plan
from mnist_seq.sweep.pool.failures import reason

log = logging.getLogger(__name__)


def launch(plan: Plan, launcher: Launcher, *, sweep_name: str) -> str:
    """Run a plan by any Hydra launcher, and write the ledger from what lies on the disk.

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
    for run in plan.todo:
        run.folder.clear_error()
        plan.folder.note("started", run.name, launcher=type(launcher).__name__)
    stopped = ""
    try:
        launcher.launch(jobs, initial_job_idx=0)
    except Exception as error:
        stopped = f"{type(launcher).__name__}: {type(error).__name__}: {error}".splitlines()[0]
        log.warning("%s", stopped)
    finally:
        for run in plan.todo:
            state = run.folder.state()
            if state == "failed":
                plan.folder.note("failed", run.name, reason=reason(run.folder))
            elif state in ("finished", "diverged"):
                plan.folder.note(state, run.name)
            else:
                plan.folder.note("interrupted", run.name, reason=stopped or "it left no result")
    return stopped
