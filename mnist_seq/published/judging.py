"""Says whether results of ours repeat a published number: met, not met, or not decided."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mnist_seq.config.schema.expects import Expected, band
from mnist_seq.published.rows import Row
from mnist_seq.published.stored import Stored

Word = Literal["met", "not met", "not decided", "not run"]

FEWEST = 3  # seeds, below which nothing is decided
LEVEL = 0.95
RULE = (
    "Met: the 95 % t-interval of our mean over seeds lies above the lower end of the published "
    "band (for an error or a loss, below its upper end; for a row of both sides, within the band). "
    "Not met: the whole interval lies outside on the other side. Else, with fewer than "
    f"{FEWEST} seeds or with a run that diverged, it is not decided."
)


@dataclass(frozen=True)
class Verdict:
    """A published number, ours, and whether ours repeats it.

    Attributes:
        n: seeds that finished.
        mean, low, high: of our values, with their interval; NaN where there are too few.
        minutes: of all seeds together; of one seed as expected where nothing has run, NaN where
            nobody knows.
        why: what keeps it from being decided; "" where it is.
        is_higher_better: for its metric, as its task says; None where nothing has run.
    """

    row: Row
    word: Word
    n: int
    mean: float
    low: float
    high: float
    minutes: float
    why: str = ""
    is_higher_better: bool | None = None


def judge(row: Row, stored: Stored | None) -> Verdict:
    """Compare our values with a published number by `RULE`."""
    if stored is None:
        expected = row.expected.minutes
        minutes = math.nan if expected == "none" else float(expected)
        return Verdict(row, "not run", 0, math.nan, math.nan, math.nan, minutes)
    values = [seed.value for seed in stored.seeds]
    return judge_values(row, values, stored.minutes, is_higher_better=stored.is_higher_better)


def judge_values(
    row: Row, seeds: Sequence[float | None], minutes: float, *, is_higher_better: bool | None
) -> Verdict:
    """Compare the values of some seeds with a published number by `RULE`.

    Args:
        seeds: a value each; None where the run diverged.
        minutes: of all seeds together.
        is_higher_better: as the task of the runs says; None where an older file does not say.
    """
    values = [value for value in seeds if value is not None]
    mean, low, high = _interval(values)
    word, why = _word(row.expected, low, high, is_higher_better is not False), ""
    if len(values) < len(seeds):
        word, why = "not decided", f"{len(seeds) - len(values)} of {len(seeds)} diverged"
    elif len(values) < FEWEST:
        word, why = "not decided", f"n={len(values)}, and {FEWEST} or more are needed"
    elif is_higher_better is None and row.expected.sides == "one":
        word, why = "not decided", "its file lacks whether higher is better; store it anew"
    return Verdict(row, word, len(values), mean, low, high, minutes, why, is_higher_better)


def _interval(values: Sequence[float]) -> tuple[float, float, float]:
    if not values:
        return math.nan, math.nan, math.nan
    from mnist_seq.stats.intervals import describe  # imports scipy

    found = describe(np.array(values, np.float64), LEVEL)
    return found.mean, found.interval.low, found.interval.high


def _word(expected: Expected, low: float, high: float, is_higher_better: bool) -> Word:
    bottom, top = band(expected)
    if not is_higher_better:  # the same question with its signs turned
        low, high, bottom, top = -high, -low, -top, -bottom
    is_below, is_above = high < bottom, low > top
    if is_below or (expected.sides == "both" and is_above):
        return "not met"
    is_within = low >= bottom and (expected.sides == "one" or high <= top)
    return "met" if is_within else "not decided"
