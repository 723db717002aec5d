"""The one `Report` value: computed once in `build`, read by every rendering.

Plain data: numbers in the unit of the metric (percent for accuracies), NaN where there is none,
and texts. A rendering formats and arranges; it computes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mnist_seq.report.evidence import Curves, Importance, Predictions, Search, Watched
from mnist_seq.report.read.metric import Metric
from mnist_seq.stats.verdicts import Rule, Word


@dataclass(frozen=True)
class Difference:
    """A variant against its baseline.

    Attributes:
        pairing: which test was used and why: "paired by seed, n=7 of 8 pairs: ...".
        needed: seeds in all that would show the observed difference; None where it is decided, or
            where more than 1,000 would be needed.
        permutation: what `p_permutation` counts: "exact sign flips".
        p_equivalence: TOST against the declared margin, equivalence_low and _high its interval; NaN
            without one.
        correlation: of both sides over the seeds that pair; NaN where they do not.
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
    permutation: str
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
class Choice:
    """The values of tuned keys that a variant is reported with, chosen on validation.

    Attributes:
        settings: the chosen values, as text; of `num_tried` combinations in all.
        value: mean of the selection's metric over its n seeds, in the unit that people read.
        runner_up: the next best combination's; NaN where there is none.
        text: "lr=0.01 of 4".
        remarks: what a reader should know of it: the edge of the values tried, ties, seeds that
            lack.
    """

    settings: Mapping[str, str]
    num_tried: int
    value: float
    n: int
    runner_up: float
    text: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variant:
    """The runs that differ only in their seed, and what was found about them.

    Attributes:
        key: position in `Report.variants`; other parts refer to a variant by it.
        settings: the swept keys with this variant's values, as text.
        factors: the same as they are, for the axes of charts.
        baseline: key of the baseline; None where it is missing, its own key for a baseline.
        n: finished runs, of `planned` in all.
        not_learning: of these n, runs that are no better than a guess; they count like the others.
        word: the verdict's; "baseline" for a baseline.
        is_cheapest_params, is_cheapest_seconds: on the Pareto front of the mean.
        change: what an arm of a study changes of its baseline, as overrides; else "".
        choice: None where nothing was chosen.
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
    not_learning: int
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
    change: str = ""
    choice: Choice | None = None


@dataclass(frozen=True)
class RunRow:
    """One run, for the list of runs and the points of charts.

    Attributes:
        is_learning: False for a finished run that is no better than a guess; `reason` says so.
    """

    variant: int
    seed: int
    state: str
    reason: str
    folder: str
    value: float
    seconds: float
    is_learning: bool = True

    @property
    def outcome(self) -> str:
        """Its state in words: "finished, not learning"."""
        return self.state if self.is_learning else f"{self.state}, not learning"


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
        selector: the validation metric that tuned values were chosen by, if any were.
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
    selector: Metric | None = None
    watched: tuple[Watched, ...] = ()
    search: Search | None = None
    importances: tuple[Importance, ...] = ()

    def __repr__(self) -> str:
        """One line; in full it would be hundreds of thousands of characters."""
        return f"<report of {self.title}: {self.headline}; {self.counts}>"

    def _repr_markdown_(self) -> str:
        """How a notebook shows it."""
        from mnist_seq.report.render.markdown import render

        return render(self)
