"""Learning curves of runs: their evaluations, the mean over seeds, and fewer points of them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mnist_seq.report.read.metric import Metric
from mnist_seq.report.read.run import Run
from mnist_seq.report.value import Point
from mnist_seq.stats import mean_interval


def curve_of(run: Run, metric: Metric) -> tuple[list[float], list[float]]:
    """Steps and values of a run's evaluations, in the unit that people read."""
    points = run.evaluations(metric.name)
    return list(points), [value * metric.scale for value in points.values()]


def mean_of(curves: Sequence[tuple[list[float], list[float]]], level: float) -> list[Point]:
    """Mean over runs with its interval, at the steps that all of them have."""
    if not curves:
        return []
    by_step = [dict(zip(*curve, strict=True)) for curve in curves]
    shared = [step for step in by_step[0] if all(step in other for other in by_step)]
    points = []
    for step in shared:
        values = np.array([own[step] for own in by_step])
        interval = mean_interval(values, level)
        points.append(Point(step, float(values.mean()), interval.low, interval.high))
    return points


def thinned(values: Sequence[Any], every: int) -> list[Any]:
    """Every so manyth value, the first and the last always among them."""
    if every == 1 or len(values) <= 2:
        return list(values)
    kept = list(values[::every])
    return kept if (len(values) - 1) % every == 0 else [*kept, values[-1]]


def bare(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points without a band."""
    return tuple(Point(p.step, p.value, math.nan, math.nan) for p in points)
