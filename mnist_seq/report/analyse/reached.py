"""Finds when the runs of a variant reached a threshold on validation."""

import math
from collections.abc import Sequence

import numpy as np

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.read.run import Run, is_number
from mnist_seq.report.read.task_record import TaskRecord
from mnist_seq.report.value import Reached
from mnist_seq.stats import time_to_threshold


def times_to(group: Group, thresholds: Sequence[float], task: TaskRecord) -> tuple[Reached, ...]:
    """When the runs of a variant reached each share of right answers on valid.

    None for a task that is not judged by such a share.
    """
    is_share = task.metrics[task.main].is_share
    return tuple(_reached(group, t, f"valid/{task.main}") for t in thresholds if is_share)


def _reached(group: Group, threshold: float, metric: str) -> Reached:
    """When the runs of a variant reached a threshold; runs that never did are counted too.

    A run that diverged before its first evaluation counts as one that never did. A finished run
    without readable evaluations is left out.
    """
    ended = [run for run in group.runs if run.state in ("finished", "diverged")]
    runs = [run for run in ended if run.evaluations(metric) or _never_got_there(run)]
    if not runs:
        return Reached(threshold, 0, 0, (), math.nan, "no validation")
    rows = [[row for row in run.history if is_number(row.get(metric))] for run in runs]
    # the clock of a resumed run may step back by a rounding error
    times = [np.maximum.accumulate(np.array([float(r["seconds"]) for r in rs])) for rs in rows]
    values = [np.array([float(r[metric]) for r in rs]) for rs in rows]
    found = time_to_threshold(times, values, threshold)
    return Reached(
        threshold=threshold,
        n=found.n,
        num_reached=found.num_reached,
        times=tuple(t for t in found.times if not math.isnan(t)),
        median=found.median_all,
        text=found.text,
    )


def _never_got_there(run: Run) -> bool:
    """Whether the run has a valid split and diverged."""
    return run.state == "diverged" and bool(run.data.get("num_valid"))
