"""Stored curves: mean and sd of a metric over seeds, at some updates of equal runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FEWEST = 3  # seeds: a prediction interval from two is as wide as the metric
MOST_POINTS = 60  # of a stored curve


@dataclass(frozen=True)
class Curve:
    """A stored curve of n seeds, with what its runs were.

    Attributes:
        name: of its experiment.
        metric: `split/name`, such as "valid/accuracy".
        updates, mean, sd: of each point, in the order of the updates; sd is that of a sample.
        lr: learning rate of the runs at each point; empty where nobody knows.
        n: number of seeds, all of which reached the last update.
        seeds: those.
        config: of one of the runs, as its run.json has it.
        fingerprint: of their data.
    """

    name: str
    metric: str
    updates: tuple[int, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    lr: tuple[float, ...]
    n: int
    seeds: tuple[int, ...]
    config: Mapping[str, Any]
    fingerprint: str = ""


def curve_of(runs: Sequence[Sequence[Mapping[str, Any]]], metric: str) -> dict[str, Any]:
    """The curve of equal runs with other seeds, as it is stored: plain values.

    Args:
        runs: evaluations of each run, as metrics.jsonl has them; one run a seed.
        metric: `split/name`; an update counts where each run has it as a finite number.

    Returns:
        metric, updates, mean, sd, lr and n. At most `MOST_POINTS` updates are kept, evenly spaced,
        the first and the last among them. It is empty ({}) where no update is shared by two runs.
    """
    by_update = [{row["step"]: row for row in rows if _is_number(row.get(metric))} for rows in runs]
    shared = [u for u in by_update[0] if all(u in own for own in by_update)] if by_update else []
    if len(runs) < 2 or not shared:
        return {}
    kept = _thinned(sorted(shared))
    values = [[float(own[u][metric]) for own in by_update] for u in kept]
    means = [math.fsum(each) / len(each) for each in values]
    rates = [by_update[0][u].get("optimizer/lr") for u in kept]
    return {
        "metric": metric,
        "updates": kept,
        "mean": [_short(mean) for mean in means],
        "sd": [_short(_sd(each, mean)) for each, mean in zip(values, means, strict=True)],
        "lr": rates if all(map(_is_number, rates)) else [],
        "n": len(runs),
    }


def _sd(values: Sequence[float], mean: float) -> float:
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def _thinned(updates: Sequence[int]) -> list[int]:
    last = len(updates) - 1
    num = min(len(updates), MOST_POINTS)
    return [updates[round(i * last / max(1, num - 1))] for i in range(num)]


def _short(value: float) -> float:
    """Six digits: finer than the noise of any evaluation, and a file that people can read."""
    return float(f"{value:.6g}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
