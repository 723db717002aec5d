"""What `training.diagnostics=gradients` has logged, by variant."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.evidence import Point, Watched
from mnist_seq.report.read.collect import Run, is_number

_GRADIENT = re.compile(r"gradient/t(\d+)")
_LOGGED = ("gradient/", "state/", "gates/")  # beginnings of all names that are watched

Row = Mapping[str, Any]


def watched(groups: Sequence[Group]) -> tuple[Watched, ...]:
    """The variants of which at least one finished run was watched."""
    found = []
    for place, group in enumerate(groups):
        rows = [own for run in group.finished if (own := _watched_rows(run))]
        if rows:
            found.append(_watched(place, rows))
    return tuple(found)


def _watched(place: int, runs: Sequence[Sequence[Row]]) -> Watched:
    firsts = [_by_step(rows, "state/first") for rows in runs]
    lasts = [_by_step(rows, "state/last") for rows in runs]
    drifts = [
        {step: last[step] / first[step] for step in last if first.get(step)}
        for first, last in zip(firsts, lasts, strict=True)
    ]
    shares = [
        {step: 100 * share for step, share in _by_step(rows, "gates/saturated").items()}
        for rows in runs
    ]
    return Watched(
        variant=place,
        n=len(runs),
        num_not_finite=sum(any(map(_is_odd, rows)) for rows in runs),
        gradient=_points([_gradients(rows[-1]) for rows in runs]),
        saturated=_points(shares),
        drift=_points(drifts),
        first=_median([_latest(values) for values in firsts]),
        last=_median([_latest(values) for values in lasts]),
    )


def _watched_rows(run: Run) -> list[Row]:
    return [row for row in run.history if "state/last" in row]


def _is_odd(row: Row) -> bool:
    """Whether something that was watched is not finite, which JSON can only write as null."""
    return any(name.startswith(_LOGGED) and not is_number(value) for name, value in row.items())


def _by_step(rows: Sequence[Row], name: str) -> dict[float, float]:
    return {float(row["step"]): _number(row[name]) for row in rows if name in row}


def _gradients(row: Row) -> dict[float, float]:
    """Norms by time step, counted from 1."""
    names = ((_GRADIENT.fullmatch(name), value) for name, value in row.items())
    return {float(match[1]) + 1: _number(value) for match, value in names if match}


def _number(value: Any) -> float:
    return float(value) if is_number(value) else math.nan


def _points(curves: Sequence[Mapping[float, float]]) -> tuple[Point, ...]:
    """Median, smallest and largest wherever all runs have a value, NaN where one is not finite."""
    points = []
    for x in curves[0]:
        if all(x in other for other in curves):
            values = [own[x] for own in curves]
            ends = (math.nan, math.nan) if _is_lost(values) else (min(values), max(values))
            points.append(Point(x, _median(values), *ends))
    return tuple(points)


def _median(values: Sequence[float]) -> float:
    return math.nan if _is_lost(values) else float(np.median(values))


def _is_lost(values: Sequence[float]) -> bool:
    return any(map(math.isnan, values))


def _latest(values: Mapping[float, float]) -> float:
    return values[max(values)] if values else math.nan
