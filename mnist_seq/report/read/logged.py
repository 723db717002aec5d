"""Values that finished runs have logged along the way, taken together over seeds."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mnist_seq.report import wording
from mnist_seq.report.read.run import is_number
from mnist_seq.report.value import Point

Row = Mapping[str, Any]


def number(value: Any) -> float:
    """A logged value; NaN where it is not finite, which JSON can only write as null."""
    return float(value) if is_number(value) else math.nan


def is_odd(row: Row, starts: tuple[str, ...]) -> bool:
    """Whether a value is not finite, of those whose names start so."""
    return any(name.startswith(starts) and not is_number(value) for name, value in row.items())


def by_step(rows: Sequence[Row], name: str) -> dict[float, float]:
    """One run's values of a name by its training step."""
    return {float(row["step"]): number(row[name]) for row in rows if name in row}


def over_seeds(curves: Sequence[Mapping[float, float]]) -> tuple[Point, ...]:
    """Median, smallest and largest wherever all runs have a value, NaN where one is not finite."""
    points = []
    for x in curves[0]:
        if all(x in other for other in curves):
            values = [own[x] for own in curves]
            ends = (math.nan, math.nan) if _is_lost(values) else (min(values), max(values))
            points.append(Point(x, median(values), *ends))
    return tuple(points)


def median(values: Sequence[float]) -> float:
    """NaN where one of them is not finite."""
    return math.nan if _is_lost(values) else float(np.median(values))


def earliest(values: Mapping[float, float]) -> float:
    """The value at the first step; NaN for none."""
    return values[min(values)] if values else math.nan


def latest(values: Mapping[float, float]) -> float:
    """The value at the last step; NaN for none."""
    return values[max(values)] if values else math.nan


def not_finite(runs: Iterable[tuple[str, int, int]]) -> str:
    """A sentence on logged values that have no median; "" where all of them are finite.

    Args:
        runs: (label of a variant, its runs with values that are not finite, all its runs).
    """
    found = [f"{label} ({num} of {n} runs)" for label, num, n in runs if num]
    if not found:
        return ""
    return f" Values were logged that are not finite, and have no median: {wording.listed(found)}."


def _is_lost(values: Sequence[float]) -> bool:
    return any(map(math.isnan, values))
