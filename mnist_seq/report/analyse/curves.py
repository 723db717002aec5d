"""Learning curves, and when they reach a threshold."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.evidence import Curves, Point, RunCurve
from mnist_seq.report.read.collect import Run, is_number
from mnist_seq.report.value import Reached
from mnist_seq.stats import mean_interval, time_to_threshold

MAX_POINTS = 8_000  # drawn in all: more makes the page heavy, and no eye tells them apart
THRESHOLD_METRIC = "valid/accuracy"  # never test: a threshold on it would be a look at it


def learning_curves(groups: Sequence[Group], level: float) -> Curves | None:
    """Curves of valid/accuracy, or of train/loss where nothing was set aside to validate on.

    A mean goes as far as all finished runs of its variant were evaluated, so that no curve is one
    of survivors.
    """
    runs = [run for group in groups for run in group.runs]
    name = next(
        (m for m in (THRESHOLD_METRIC, "train/loss") if any(_has(r, m) for r in runs)), None
    )
    if name is None:
        return None
    scale = 100.0 if name.endswith("accuracy") else 1.0
    curves = [_curve(run, name, scale) for run in runs]
    num_points = sum(len(steps) for steps, _ in curves)
    every = max(1, math.ceil(num_points / MAX_POINTS))
    starts = np.cumsum([0, *(len(group.runs) for group in groups)])
    means = {}
    for place, group in enumerate(groups):
        own = curves[starts[place] : starts[place + 1]]
        kept = [c for run, c in zip(group.runs, own, strict=True) if run.state == "finished"]
        if points := _mean(kept, level):
            means[place] = tuple(_thinned(points, every))
    drawn = [value for _, values in curves for value in values]
    ends = [end for points in means.values() for p in points for end in (p.low, p.high)]
    most = 100.0 if scale == 100 else math.inf
    drawn += [min(max(end, 0.0), most) for end in ends if not math.isnan(end)]
    return Curves(
        label=name.replace("/", " "),
        unit="%" if scale == 100 else "",
        decimals=2 if scale == 100 else 4,
        means=means,
        runs=tuple(
            RunCurve(i, tuple(_thinned(steps, every)), tuple(_thinned(values, every)))
            for i, (steps, values) in enumerate(curves)
            if steps
        ),
        every=every,
        low=min(drawn),
        high=max(drawn),
        start=min(step for steps, _ in curves for step in steps),
        end=max(step for steps, _ in curves for step in steps),
    )


def reached(group: Group, threshold: float) -> Reached:
    """When the runs of a variant reached a threshold; those that never did are counted too.

    Among them is a run that diverged before its first evaluation; not one that finished and whose
    evaluations are lost, of which nobody knows.
    """
    ended = [run for run in group.runs if run.state in ("finished", "diverged")]
    runs = [run for run in ended if _has(run, THRESHOLD_METRIC) or _never_got_there(run)]
    if not runs:
        return Reached(threshold, 0, 0, (), math.nan, "no validation")
    rows = [[row for row in run.history if is_number(row.get(THRESHOLD_METRIC))] for run in runs]
    # a resumed run's clock may step back by a rounding; its evaluations are in order
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


def _curve(run: Run, name: str, scale: float) -> tuple[list[float], list[float]]:
    points = run.evaluations(name)
    return list(points), [value * scale for value in points.values()]


def _mean(curves: Sequence[tuple[list[float], list[float]]], level: float) -> list[Point]:
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


def _thinned(values: Sequence[Any], every: int) -> list[Any]:
    """Every so manyth value, the first and the last always among them."""
    if every == 1 or len(values) <= 2:
        return list(values)
    kept = list(values[::every])
    return kept if (len(values) - 1) % every == 0 else [*kept, values[-1]]


def _has(run: Run, name: str) -> bool:
    return bool(run.evaluations(name))


def _never_got_there(run: Run) -> bool:
    """Whether it had images to validate on, and diverged."""
    return run.state == "diverged" and bool(run.data.get("num_valid"))
