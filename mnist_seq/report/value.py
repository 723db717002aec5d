"""The one `Report` value: computed once in `build`, read by every rendering.

Plain data: numbers in the unit of the metric (percent for accuracies), NaN where there is none,
and texts. A rendering formats and arranges; it computes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mnist_seq.report.metric import Metric
from mnist_seq.stats.verdicts import Rule, Word


@dataclass(frozen=True)
class Difference:
    """A variant against its baseline.

    Attributes:
        pairing: which test was used and why: "paired by seed, n=7 of 8 pairs: ...".
        needed: seeds in all that would show the observed difference; None where it is decided, or
            where more than 1,000 would be needed.
        p_equivalence: TOST against the declared margin; NaN without one.
        mcnemar: seed pairs of models in all, variant better, baseline better, undecided.
    """

    is_paired: bool
    pairing: str
    n: int
    difference: float
    low: float
    high: float
    p: float
    p_permutation: float
    p_wilcoxon: float
    p_adjusted: float
    p_floor: float
    effect_size: float
    effect_name: str
    p_better: float
    detectable: float
    needed: int | None
    p_equivalence: float
    equivalence_low: float
    equivalence_high: float
    correlation: float
    mcnemar: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Reached:
    """When the seeds of a variant reached a threshold on valid/accuracy, by training seconds.

    Attributes:
        times: seconds, one a seed that reached it.
        median: over all seeds, one that never reached it counting as later than any other;
            infinite where half or more never did.
    """

    threshold: float
    n: int
    num_reached: int
    times: tuple[float, ...]
    median: float
    text: str


@dataclass(frozen=True)
class Variant:
    """The runs that differ only in their seed, and what was found about them.

    Attributes:
        key: position in `Report.variants`; other parts refer to a variant by it.
        settings: the swept keys with this variant's values, as text.
        factors: the same as they are, for the axes of charts.
        baseline: key of the baseline; None where it is missing, its own key for a baseline.
        n: finished runs, of `planned` in all.
        word: the verdict's; "baseline" for a baseline.
        is_cheapest_params, is_cheapest_seconds: on the Pareto front of the mean.
    """

    key: int
    name: str
    cell: str
    settings: Mapping[str, str]
    factors: Mapping[str, str | float]
    is_baseline: bool
    baseline: int | None
    baseline_name: str
    seeds: tuple[int, ...]
    n: int
    planned: int
    failed: int
    diverged: int
    interrupted: int
    unreadable: int
    mean: float
    sd: float
    low: float
    high: float
    median: float
    iqm: float
    num_params: float
    seconds: float
    seconds_sd: float
    difference: Difference | None
    word: Word | str
    verdict: str
    reached: tuple[Reached, ...] = ()
    is_cheapest_params: bool = False
    is_cheapest_seconds: bool = False


@dataclass(frozen=True)
class RunRow:
    """One run, for the list of runs and the points of charts."""

    variant: int
    seed: int
    state: str
    reason: str
    folder: str
    value: float
    seconds: float


@dataclass(frozen=True)
class Point:
    """One place on a learning curve; low and high are the interval of the mean over seeds."""

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
        means: by variant, over its finished runs, as far as all of them were evaluated.
        every: at most one evaluation in this many is kept for drawing.
        low, high, start, end: of all values and steps, so that panels share their axes.
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


@dataclass(frozen=True)
class Missing:
    """Runs that a comparison lacks, and the command that adds them."""

    what: str
    seeds: tuple[int, ...]
    command: str


@dataclass(frozen=True)
class Left:
    """A folder that was left aside, and why."""

    folder: str
    reason: str


@dataclass(frozen=True)
class Setting:
    """A config key: its value in each variant, or its one value in all."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """A property of code, versions or hardware, and the values that runs have for it."""

    name: str
    values: tuple[tuple[str, int], ...]  # value, number of runs


@dataclass(frozen=True)
class Mirror:
    """Where W&B has the runs; entity and project are "" where they were not mirrored.

    Attributes:
        groups: names of the sweeps.
        ids: W&B's ids of the runs, by variant.
    """

    entity: str
    project: str
    groups: tuple[str, ...]
    ids: Mapping[int, tuple[str, ...]]


@dataclass(frozen=True)
class Report:
    """A comparison, whole.

    Attributes:
        headline: the answer in one sentence; `counts`: what it rests on.
        rule_text: the declared rule in words.
        warnings: what weakens the comparison; `notes`: what else was decided.
    """

    title: str
    sources: tuple[str, ...]
    created: str
    metric: Metric
    level: float
    rule: Rule
    rule_text: str
    headline: str
    counts: str
    variants: tuple[Variant, ...]
    runs: tuple[RunRow, ...]
    factor_keys: tuple[str, ...]
    settings: tuple[tuple[Setting, ...], tuple[Setting, ...]]  # differing, common
    origins: tuple[Origin, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    missing: tuple[Missing, ...]
    skipped: tuple[Left, ...]
    mirror: Mirror
    curves: Curves | None = None
    predictions: Predictions | None = None

    def _repr_markdown_(self) -> str:
        """How a notebook shows it."""
        from mnist_seq.report.markdown import render

        return render(self)
