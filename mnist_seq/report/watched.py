"""What `training.diagnostics=gradients` has logged, by variant."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mnist_seq.report.collect import Run
from mnist_seq.report.evidence import Point, Watched
from mnist_seq.report.grouping import Group

_GRADIENT = re.compile(r"gradient/t(\d+)")


def watched(groups: Sequence[Group]) -> tuple[Watched, ...]:
    """The variants of which at least one finished run was watched."""
    found = []
    for place, group in enumerate(groups):
        runs = [run for run in group.finished if run.evaluations("state/last")]
        if runs:
            found.append(_watched(place, runs))
    return tuple(found)


def _watched(place: int, runs: Sequence[Run]) -> Watched:
    firsts = [run.evaluations("state/first") for run in runs]
    lasts = [run.evaluations("state/last") for run in runs]
    drifts = [
        {step: last[step] / first[step] for step in last if first.get(step)}
        for first, last in zip(firsts, lasts, strict=True)
    ]
    shares = [
        {step: 100 * share for step, share in run.evaluations("gates/saturated").items()}
        for run in runs
    ]
    return Watched(
        variant=place,
        n=len(runs),
        gradient=_points([_gradients(run) for run in runs]),
        saturated=_points(shares),
        drift=_points(drifts),
        first=float(np.median([_latest(values) for values in firsts])),
        last=float(np.median([_latest(values) for values in lasts])),
    )


def _gradients(run: Run) -> dict[float, float]:
    """Norms by time step, counted from 1, at the last evaluation that has them."""
    rows: list[Mapping[str, Any]] = [row for row in run.history if "state/last" in row]
    found = {}
    for name, value in rows[-1].items():
        if match := _GRADIENT.fullmatch(name):
            found[float(match[1]) + 1] = float(value)
    return found


def _points(curves: Sequence[Mapping[float, float]]) -> tuple[Point, ...]:
    """Median, smallest and largest wherever all runs have a value."""
    points = []
    for x in curves[0]:
        if all(x in other for other in curves):
            values = [own[x] for own in curves]
            points.append(Point(x, float(np.median(values)), min(values), max(values)))
    return tuple(points)


def _latest(values: Mapping[float, float]) -> float:
    return values[max(values)]
