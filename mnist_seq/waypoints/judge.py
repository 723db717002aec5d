"""Says whether a run is within what the seeds of a stored curve gave."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mnist_seq.runs.events import Judged, value_text
from mnist_seq.waypoints.curve import Curve
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
class Standing:
    """A run beside its stored curve, so far.

    Attributes:
        points: in the order of the updates, one at least.
    """

    curve: Curve
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
        return words(self.place, self.curve)


def words(place: Place, curve: Curve) -> str:
    """A place as people read it."""
    return f"{place}{'' if place == 'within' else ' than'} what {curve.n} seeds gave"


def standing(
    curve: Curve, config: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], judged: Judged
) -> Standing | None:
    """A run beside a curve that is its own; None where they share no update.

    Args:
        config: of the run, which takes the steps of the curve's runs: `takes_same_steps`.
        rows: evaluations so far.
        judged: by which metrics, see `Judged`.
    """
    by_update = {row["step"]: row for row in rows if "step" in row}
    points = []
    is_sure = has_same_length(curve.config, config)
    for i, update in enumerate(curve.updates):
        row = by_update.get(update, {})
        if not is_sure and not _has_rate(row, curve, i):
            if row:
                break  # a schedule of another length has parted from this one
            continue
        value = row.get(curve.metric)
        interval = _interval(curve, i, judged)
        if value is not None and math.isfinite(value) and interval is not None:
            place = _place(value, *interval, is_higher_better=_facts(curve, judged)[0])
            points.append(Waypoint(update, value, *interval, place))
    return Standing(curve, tuple(points)) if points else None


def line(standing: Standing, judged: Judged, *, seed: int) -> str:
    """The run's last point in a line for people."""
    curve, point = standing.curve, standing.points[-1]
    value, low, high = (
        value_text(curve.metric, v, judged) for v in (point.value, point.low, point.high)
    )
    its_own = ", this one among them" if seed in curve.seeds else ""
    return (
        f"waypoint: at {point.update:,} updates {curve.metric} {value} is "
        f"{words(point.place, curve)} (experiment={curve.name}: {low.removesuffix(' %')} to "
        f"{high}{its_own})"
    )


def _has_rate(row: Mapping[str, Any], curve: Curve, i: int) -> bool:
    """Whether a run has the curve's learning rate at its point i."""
    rate = row.get("optimizer/lr")
    return bool(curve.lr) and rate is not None and math.isclose(rate, curve.lr[i], rel_tol=_SAME_LR)


def _interval(curve: Curve, i: int, judged: Judged) -> tuple[float, float] | None:
    """Where one more seed is expected at a point; None where its spread is not known."""
    from mnist_seq.stats.intervals import prediction_interval  # imports scipy

    is_higher_better, is_share = _facts(curve, judged)
    mean, sd = curve.mean[i], curve.sd[i]
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
