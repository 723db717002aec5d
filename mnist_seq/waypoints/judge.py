"""Says whether a run is within what the seeds of a stored curve gave."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mnist_seq.published.curve import Curve
from mnist_seq.published.stored import Stored
from mnist_seq.runs.events import Judged, value_text
from mnist_seq.runs.text import plural
from mnist_seq.waypoints.matching import has_same_length

Place = Literal["within", "worse", "better"]

LEVEL = 0.95
# Half the width that an interval of shares has at least: where all seeds are at 100 %, one wrong
# example more is no sign of a fault
_LEAST_HALF = 0.005
_SAME_LR = 1e-3  # learning rates that differ by less, relatively, are the same


@dataclass(frozen=True)
class Waypoint:
    """A run at one update of a stored curve.

    Attributes:
        low, high: 95 % prediction interval of one more seed.
    """

    update: int
    value: float
    low: float
    high: float
    place: Place


@dataclass(frozen=True)
class Expected:
    """What one more seed is expected to have at an update: see `Waypoint`."""

    update: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """A run beside its stored curve, so far.

    Attributes:
        points: in the order of the updates, one at least.
    """

    stored: Stored
    points: tuple[Waypoint, ...]

    @property
    def place(self) -> Place:
        """Where the run is: outside once its last two points are, on one side.

        One point in twenty of a good run is outside. A run with one point is where that is.
        """
        *earlier, last = (point.place for point in self.points[-2:])
        return last if all(place == last for place in earlier) else "within"

    @property
    def in_words(self) -> str:
        """Such as "within what 5 seeds gave"."""
        return _words(self.place, self.stored)


def standing(
    stored: Stored, record: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], judged: Judged
) -> Standing | None:
    """A run beside the stored curve that is its own; None where they share no update.

    Args:
        stored: of runs that take the same steps: `takes_same_steps`.
        record: run.json.
        rows: evaluations so far.
        judged: by which metrics.
    """
    evaluations = [row for row in rows if "step" in row]
    by_update = {row["step"]: row for row in evaluations}
    is_higher_better, _ = _facts(stored.curve, judged)
    points = []
    for at in expected(stored, record, evaluations, judged):
        value = by_update.get(at.update, {}).get(stored.curve.metric)
        if value is not None and math.isfinite(value):
            place = _place(value, at.low, at.high, is_higher_better=is_higher_better)
            points.append(Waypoint(at.update, value, at.low, at.high, place))
    return Standing(stored, tuple(points)) if points else None


def expected(
    stored: Stored, record: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], judged: Judged
) -> Iterator[Expected]:
    """What one more seed is expected to have, for as long as a run takes the stored ones' steps.

    Args:
        stored, record, rows, judged: as `standing` takes them; each row with its step.
    """
    curve = stored.curve
    by_update = {row["step"]: row for row in rows}
    is_sure = has_same_length(stored, record["config"])
    num_read = _num_read(curve.metric, record)
    for i, update in enumerate(curve.updates):
        row = by_update.get(update)
        if row is not None and not is_sure and not _has_rate(row, curve, i):
            return  # a schedule of another length has parted from this one
        interval = _interval(curve, i, judged, num_read)
        if interval is not None:
            yield Expected(update, curve.mean[i], *interval)


def line(standing: Standing, judged: Judged, *, seed: int) -> str:
    """The run's last point in a line for people."""
    stored, point = standing.stored, standing.points[-1]
    metric = stored.curve.metric
    value, low, high = (value_text(metric, v, judged) for v in (point.value, point.low, point.high))
    is_one = any(seed == each.seed for each in stored.seeds)
    return (
        f"waypoint: at {plural(point.update, 'update')} {metric} {value} is "
        f"{_words(point.place, stored)} ({stored.id}: {low.removesuffix(' %')} to {high}"
        f"{', this seed among them' if is_one else ''})"
    )


def _words(place: Place, stored: Stored) -> str:
    return f"{place}{'' if place == 'within' else ' than'} what {stored.curve.n} seeds gave"


def _num_read(metric: str, record: Mapping[str, Any]) -> int:
    """How many examples a metric is a mean over; 0 where that is not known."""
    if metric.startswith("valid/"):
        return int(record["data"].get("num_valid", 0))
    is_monitor = metric.startswith("monitor/")
    return int(record["config"]["training"].get("monitor_test", 0)) if is_monitor else 0


def _has_rate(row: Mapping[str, Any], curve: Curve, i: int) -> bool:
    """Whether a run has the curve's learning rate at its point i."""
    rate = row.get("optimizer/lr")
    return bool(curve.lr) and rate is not None and math.isclose(rate, curve.lr[i], rel_tol=_SAME_LR)


def _interval(curve: Curve, i: int, judged: Judged, num_read: int) -> tuple[float, float] | None:
    """Where one more seed is expected at a point; None where its spread is not known."""
    from mnist_seq.stats.intervals import prediction_interval  # imports scipy

    is_higher_better, is_share = _facts(curve, judged)
    mean, sd = curve.mean[i], curve.sd[i] or 0.0
    if is_share and num_read:  # few seeds may agree by chance, where each example is one
        sd = max(sd, math.sqrt(max(0.0, mean * (1 - mean)) / num_read))
    if sd == 0 and not is_share:
        return None
    found = prediction_interval(mean, sd, curve.n, level=LEVEL)
    low, high = found.low, found.high
    if is_share:
        return max(0.0, min(low, mean - _LEAST_HALF)), min(1.0, max(high, mean + _LEAST_HALF))
    return low if is_higher_better else max(0.0, low), high  # errors are 0 or more


def _facts(curve: Curve, judged: Judged) -> tuple[bool, bool]:
    """Whether higher is better, and whether the metric is a share, from 0 to 1."""
    facts = judged["metrics"].get(curve.metric.rpartition("/")[2], {})
    return bool(facts.get("higher_is_better", True)), facts.get("unit") == "%"


def _place(value: float, low: float, high: float, *, is_higher_better: bool) -> Place:
    if low <= value <= high:
        return "within"
    return "better" if (value > high) == is_higher_better else "worse"
