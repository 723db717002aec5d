"""Finds when the runs of a variant reached a threshold on validation."""

import math

import numpy as np

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.read.collect import Run, is_number
from mnist_seq.report.value import Reached
from mnist_seq.stats import time_to_threshold

THRESHOLD_METRIC = "valid/accuracy"  # never test: the test set is read once, at the end


def reached(group: Group, threshold: float) -> Reached:
    """When the runs of a variant reached a threshold; runs that never did are counted too.

    A run that diverged before its first evaluation counts as one that never did. A finished run
    without readable evaluations is left out.
    """
    ended = [run for run in group.runs if run.state in ("finished", "diverged")]
    runs = [run for run in ended if _has(run, THRESHOLD_METRIC) or _never_got_there(run)]
    if not runs:
        return Reached(threshold, 0, 0, (), math.nan, "no validation")
    rows = [[row for row in run.history if is_number(row.get(THRESHOLD_METRIC))] for run in runs]
    # the clock of a resumed run may step back by a rounding error
    times = [np.maximum.accumulate(np.array([float(r["seconds"]) for r in rs])) for rs in rows]
    values = [np.array([float(r[THRESHOLD_METRIC]) for r in rs]) for rs in rows]
    found = time_to_threshold(times, values, threshold)
    return Reached(
        threshold=threshold,
        n=found.n,
        num_reached=found.num_reached,
        times=tuple(t for t in found.times if not math.isnan(t)),
        median=found.median_all,
        text=found.text,
    )


def _has(run: Run, name: str) -> bool:
    return bool(run.evaluations(name))


def _never_got_there(run: Run) -> bool:
    """Whether the run has a valid split and diverged."""
    return run.state == "diverged" and bool(run.data.get("num_valid"))
