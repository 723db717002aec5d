"""Estimates the time of runs from runs that this machine has finished before."""

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_seq.config import Config, plain
from mnist_seq.runs import provenance
from mnist_seq.runs.folder import RunFolder
from mnist_seq.sweep.plan.planner import PlannedRun
from mnist_seq.sweep.plan.variant import Variant
from mnist_seq.training.preflight.task import num_steps, sequence_shape

MOST_RECORDS = 400  # earlier runs that are read; a few hundred small files take a tenth of a second

Speeds = dict[tuple[Any, ...], float]


def seconds_a_step(folders: Sequence[Path]) -> Speeds:
    """Median seconds a step, for each kind of run that this machine has finished.

    Args:
        folders: folders that have run folders in them.
    """
    results = [path for folder in folders for path in folder.glob("*/result.json")]
    results.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    here = provenance.host()
    times = defaultdict(list)
    for path in results[:MOST_RECORDS]:
        run = RunFolder(path.parent)
        try:
            record, result = run.record(), run.result()
            if record.get("stack", 1) > 1:
                continue  # its time is that of the whole stack
            if record["host"]["cpu"] == here["cpu"] and record["host"]["cores"] == here["cores"]:
                times[_kind(record["config"])].append(result["seconds"] / result["steps"])
        except (ValueError, KeyError, TypeError, OSError, ZeroDivisionError):
            continue  # a damaged folder is skipped here; whoever uses the run reports it
    return {kind: statistics.median(values) for kind, values in times.items()}


def estimate(config: Config, speeds: Speeds) -> float:
    """Seconds that a run will take; NaN if no run of its kind is known."""
    if not speeds:
        return math.nan
    return num_steps(config) * speeds.get(_kind(plain(config)), math.nan)


def estimates(runs: Sequence[PlannedRun], speeds: Speeds) -> list[float]:
    """Seconds that each of some runs will take; runs of one variant take the same."""
    seconds: dict[Variant, float] = {}
    for run in runs:
        if run.variant not in seconds:
            seconds[run.variant] = estimate(run.config, speeds)
    return [seconds[run.variant] for run in runs]


def total(seconds: Sequence[float], workers: int) -> float:
    """Wall seconds of several runs on some workers; NaN if the time of none is known."""
    known = [s for s in seconds if not math.isnan(s)]
    if not known:
        return math.nan
    guess = statistics.fmean(known)
    return max(
        sum(guess if math.isnan(s) else s for s in seconds) / workers,
        max(known),
    )


def _kind(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """The settings on which the time of a step depends."""
    model = {k: v for k, v in config["model"].items() if k != "dropout"}
    return (
        *sorted(model.items()),
        *sequence_shape(config),
        *(config["training"][key] for key in ("batch_size", "tbptt")),
        config["optimizer"]["name"],
        *sorted(config["device"].items()),
    )
