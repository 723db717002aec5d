"""What a report shows beside its verdicts: curves, diagnostics, searches and single test images.

Plain data, as in `value`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One place on a curve; its owner says what `low` and `high` mean. NaN where there is none."""

    step: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class RunCurve:
    """Evaluations of one run, thinned for drawing."""

    run: int  # position in `Report.runs`
    steps: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """Learning curves of one metric.

    Attributes:
        means: by variant, over its finished runs, as far as all of them were evaluated; with the
            interval of the mean.
        every: at most one evaluation in this many is kept for drawing.
        low, high: of all values and intervals, these no further than the metric can go; start, end:
            of all steps. Panels share their axes.
    """

    label: str
    unit: str
    decimals: int
    means: Mapping[int, tuple[Point, ...]]
    runs: tuple[RunCurve, ...]
    every: int
    low: float
    high: float
    start: float
    end: float


@dataclass(frozen=True)
class Watched:
    """What the diagnostics of a variant's finished runs show: medians over n seeds.

    Attributes:
        num_not_finite: of the n, runs that logged a value that is not finite; a median over it is
            NaN, here and below.
        gradient: norm of d loss / d state by time step, at the last evaluation; low and high are
            the smallest and largest seed's, here and below.
        saturated: share of gate values near 0 or 1 by training step, in percent; empty where the
            cell has no gates.
        drift: norm of h after the last time step over that after the first, by training step.
        first, last: norms of h after the first and the last time step, at the last evaluation.
    """

    variant: int
    n: int
    num_not_finite: int
    gradient: tuple[Point, ...]
    saturated: tuple[Point, ...]
    drift: tuple[Point, ...]
    first: float
    last: float

    @property
    def ends(self) -> tuple[float, float]:
        """Gradient at the first and at the last time step."""
        if not self.gradient:
            return math.nan, math.nan
        return self.gradient[0].value, self.gradient[-1].value

    @property
    def reach(self) -> float:
        """Gradient at the first time step over that at the last: how far back learning reaches."""
        start, end = self.ends
        return start / end if end else math.nan


@dataclass(frozen=True)
class SearchCurve:
    """What a search of n trials would have ended with, for n = 1 to `num_trials`.

    Attributes:
        best: `step` is n, `value` the expected best, low and high one standard deviation of the
            best around it, no further than the values that were seen.
        sampler: of the search; "grid" where the values were listed by hand.
        num_diverged: trials that count as a guess; num_stopped: that count with their last
            evaluation; num_left_out: without any value.
    """

    name: str
    cell: str
    sampler: str
    num_trials: int
    num_diverged: int
    num_stopped: int
    num_left_out: int
    best: tuple[Point, ...]

    @property
    def about(self) -> str:
        """How it came about: "random, 30 trials, 2 diverged"."""
        counts = {"diverged": self.num_diverged, "stopped early": self.num_stopped,
                  "left out": self.num_left_out}  # fmt: skip
        parts = [f"{number} {what}" for what, number in counts.items() if number]
        return ", ".join([self.sampler, f"{self.num_trials} trials", *parts])


@dataclass(frozen=True)
class Search:
    """Searches for the best hyper-parameters, by the validation metric that they looked at.

    Attributes:
        budgets: numbers of trials that tables show.
        assumption: what the numbers rest on, and whether the searches meet it.
    """

    label: str
    unit: str
    decimals: int
    curves: tuple[SearchCurve, ...]
    budgets: tuple[int, ...]
    assumption: str


@dataclass(frozen=True)
class Importance:
    """Which hyper-parameters a search's result depends on.

    Attributes:
        shares: (key, mean over the evaluator's repetitions, smallest, largest), the largest first.
        about: the evaluator by its name, n, target and seeds.
    """

    name: str
    shares: tuple[tuple[str, float, float, float], ...]
    about: str


@dataclass(frozen=True)
class Confusion:
    """Mean counts a run: row is the label, column the prediction."""

    variant: int
    n: int
    counts: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Digit:
    """A test image, and what the runs made of it.

    Attributes:
        predictions: (class, number of runs), most frequent first.
        pixels: 28 rows of 28 grey values as bytes; empty where the data cannot be found.
    """

    index: int
    label: int
    predictions: tuple[tuple[int, int], ...]
    pixels: bytes = b""


@dataclass(frozen=True)
class Exchanged:
    """Test images that most seeds of one side get right and most of the other wrong."""

    variant: int
    num_lost: int
    num_gained: int
    lost: tuple[Digit, ...]
    gained: tuple[Digit, ...]


@dataclass(frozen=True)
class Predictions:
    """What the runs say about single test images; empty where no run has predictions."""

    num_images: int
    num_contested: int
    confusions: tuple[Confusion, ...]
    contested: tuple[Digit, ...]
    exchanged: tuple[Exchanged, ...]
