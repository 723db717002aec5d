"""Stored learning curves of runs that take the same steps as those of a variant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mnist_seq.report.read.metric import Metric
from mnist_seq.report.read.run import Run
from mnist_seq.report.value import Point
from mnist_seq.runs.folder import RunFolder
from mnist_seq.waypoints.judge import expected
from mnist_seq.waypoints.of_folder import stored_for


@dataclass(frozen=True)
class StoredCurve:
    """What stored seeds gave, as far as the runs of a variant go.

    Attributes:
        name: of the stored result: rows.lstm; `num_seeds`: of it.
        points: their mean, and the 95 % prediction interval of one more seed.
    """

    name: str
    num_seeds: int
    points: tuple[Point, ...]


def stored_curves(groups: Sequence[Sequence[Run]], metric: Metric) -> Mapping[int, StoredCurve]:
    """By variant, for those that have a stored curve of this metric.

    Args:
        groups: the runs of each variant.
    """
    found = {}
    for place, runs in enumerate(groups):
        run = next((run for run in runs if run.history), None)
        if run is None:
            continue
        stored = stored_for(run.record["config"], str(run.data.get("fingerprint", "")))
        if stored is None or stored.curve.metric != metric.name:
            continue
        last = max(each.history[-1]["step"] for each in runs if each.history)
        near = expected(stored, run.record, run.history, RunFolder(run.folder).judged())
        points = tuple(
            Point(float(at.update), *(metric.scale * v for v in (at.mean, at.low, at.high)))
            for at in near
            if at.update <= last
        )
        if len(points) > 1:
            found[place] = StoredCurve(stored.id, stored.curve.n, points)
    return found


def caption_of(curves: Mapping[int, StoredCurve]) -> str:
    """A sentence on what is drawn of them; "" for none."""
    if not curves:
        return ""
    names = sorted({f"{curve.name}, {curve.num_seeds} seeds" for curve in curves.values()})
    return (
        f" Dotted: mean of stored seeds ({'; '.join(names)}); pale: where one more seed is "
        "expected, 95 % prediction interval."
    )
