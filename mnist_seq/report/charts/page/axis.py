"""Axes: from values to places, and the round values that are named on them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values within an interval, at most so many: 1, 2 or 5 times a power of 10 apart."""
    if not high > low:
        return [low]
    first = math.floor(math.log10((high - low) / most)) if high > low else 0
    for k in range(first, first + 3):
        for m in (1, 2, 5):
            step = m * 10.0**k
            if (high - low) / step <= most:
                start, end = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
                return [round(i * step, 12) for i in range(start, end + 1)]
    return [low, high]


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """The same on a logarithmic axis; low is positive."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [m * 10.0**k for k in range(first, last + 1) for m in factors]
        found = [t for t in found if low <= t * (1 + 1e-9) and t <= high * (1 + 1e-9)]
        if len(found) <= most:
            return found
    every = math.ceil(len(found) / most)
    return found[::every]


def is_wide(values: Iterable[float]) -> bool:
    """Whether values are positive and span so much that an axis should be logarithmic."""
    found = list(values)
    return bool(found) and min(found) > 0 and max(found) >= 4 * min(found)


def within(means: Iterable[float], ends: Iterable[float]) -> list[float]:
    """Ends of whiskers, no farther from the means than these are apart; all where one mean is.

    The interval of two seeds would leave nothing of the others to be seen.
    """
    known = [m for m in means if math.isfinite(m)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    if low == high:
        return list(ends)
    room = high - low
    return [min(max(end, low - room), high + room) for end in ends if math.isfinite(end)]


@dataclass(frozen=True)
class Axis:
    """A scale from `low` to `high`."""

    low: float
    high: float
    is_log: bool = False

    @classmethod
    def over(
        cls,
        values: Iterable[float],
        *,
        before: float = 0.0,
        after: float = 0.0,
        is_log: bool = False,
    ) -> "Axis":
        """The axis over finite values, with room before and after as shares of its length."""
        found = [v for v in values if math.isfinite(v) and (v > 0 or not is_log)]
        if not found:
            return cls(1.0, 10.0, is_log) if is_log else cls(0.0, 1.0)
        low, high = min(found), max(found)
        if is_log:
            if low == high:
                low, high = low / 1.5, high * 1.5
            length = math.log10(high / low)
            return cls(low / 10 ** (before * length), high * 10 ** (after * length), is_log=True)
        if low == high:
            room = abs(low) / 10 or 0.5
            low, high = low - room, high + room
        return cls(low - before * (high - low), high + after * (high - low))

    def at(self, value: float) -> float:
        """Where a value stands: 0 at `low`, 1 at `high`; values beyond stand at the ends."""
        value = min(max(value, self.low), self.high)
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 6) -> list[float]:
        """Its round values."""
        find = log_ticks if self.is_log else ticks
        return find(self.low, self.high, most)
