"""How long runs will take, from the runs that this machine has finished before."""

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_seq.config import Config, plain
from mnist_seq.runs import provenance
from mnist_seq.runs.folder import RunFolder
from mnist_seq.training.preflight.task import num_steps, sequence_shape

MOST_RECORDS = 400  # earlier runs to read: a few hundred small files take a tenth of a second

Speeds = dict[tuple[Any, ...], float]


def seconds_a_step(folders: Sequence[Path]) -> Speeds:
    """Median seconds a step of each kind of run that was finished on this machine.

    Args:
        folders: where runs lie, each in a folder of its own.
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
                continue  # its seconds are those of all runs of the stack
            if record["host"]["cpu"] == here["cpu"] and record["host"]["cores"] == here["cores"]:
                times[_kind(record["config"])].append(result["seconds"] / result["steps"])
        except (ValueError, KeyError, TypeError, OSError, ZeroDivisionError):
            continue  # a damaged folder tells nothing about time; who uses the run names it
    return {kind: statistics.median(values) for kind, values in times.items()}


def estimate(config: Config, speeds: Speeds) -> float:
    """Seconds that a run will take; NaN where no run of its kind was seen."""
    return num_steps(config) * speeds.get(_kind(plain(config)), math.nan)


def total(seconds: Sequence[float], workers: int) -> float:
    """Wall seconds of several runs on some workers; NaN where nothing is known of any of them."""
    known = [s for s in seconds if not math.isnan(s)]
    if not known:
        return math.nan
    guess = statistics.fmean(known)
    return max(
        sum(guess if math.isnan(s) else s for s in seconds) / workers,
        max(known),
    )


def _kind(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the time of a step hangs on."""
    model = {k: v for k, v in config["model"].items() if k != "dropout"}
    return (
        *sorted(model.items()),
        *sequence_shape(config),
        *(config["training"][key] for key in ("batch_size", "tbptt")),
        config["optimizer"]["name"],
        *sorted(config["device"].items()),
    )
