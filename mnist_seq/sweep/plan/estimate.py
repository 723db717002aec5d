"""Estimates the time of runs from runs that this machine has finished before."""

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mnist_seq.config import Config, plain
from mnist_seq.runs import provenance
from mnist_seq.runs.folder import RunFolder
from mnist_seq.sweep.plan.planner import PlannedRun
from mnist_seq.sweep.plan.variant import Variant
from mnist_seq.training.preflight.task import num_steps, sequence_shape

MOST_RECORDS = 400  # earlier runs that are read; a few hundred small files take a tenth of a second

SHORT_S = 60.0  # seconds of a run beside which its start counts: it takes some


class Speed(NamedTuple):
    """Seconds that runs of one kind take: for their start (0 for long runs), and for each step."""

    start_s: float
    step_s: float


Speeds = dict[tuple[Any, ...], Speed]


def measured_speeds(folders: Sequence[Path]) -> Speeds:
    """Median times of each kind of run that this machine has finished.

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
                times[_kind(record["config"])].append(_speed(run, result))
        except (ValueError, KeyError, TypeError, OSError, ZeroDivisionError):
            continue  # a damaged folder is skipped here; whoever uses the run reports it
    return {
        kind: Speed(*(statistics.median(each) for each in zip(*speeds, strict=True)))
        for kind, speeds in times.items()
    }


def _speed(run: RunFolder, result: Mapping[str, Any]) -> Speed:
    seconds, steps = result["seconds"], result["steps"]
    rows = run.metrics() if seconds < SHORT_S else []
    if len(rows) < 2:
        return Speed(0.0, seconds / steps)
    first, last = rows[0], rows[-1]
    step_s = (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])
    return Speed(max(0.0, seconds - steps * step_s), step_s)


def estimate(config: Config, speeds: Speeds) -> float:
    """Seconds that a run will take; NaN if no run of its kind is known."""
    if not speeds:
        return math.nan
    speed = speeds.get(_kind(plain(config)), Speed(math.nan, math.nan))
    return speed.start_s + num_steps(config) * speed.step_s


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
