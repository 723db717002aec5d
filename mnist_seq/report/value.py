"""The `Report` value: `build` computes it once, and every rendering reads it.

Plain data: numbers in the unit of the metric (percent for accuracies), NaN where there is none,
and texts. A rendering formats and arranges; it computes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mnist_seq.report.read.metric import Metric
from mnist_seq.stats import Comparison, Rule, Verdict
from mnist_seq.stats.verdicts import Word


@dataclass(frozen=True)
class Point:
    """One place on a curve; its owner says what `low` and `high` mean. NaN where there is none."""

    step: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Compared:
    """A variant against its baseline: all that `stats` found, kept whole.

    Attributes:
        pairing: which test was used and why: "paired by seed, n=7 of 8 pairs: ...".
        p_wilcoxon: of the signed-rank test; NaN unless it was asked for and the seeds pair.
    """

    comparison: Comparison
    verdict: Verdict
    pairing: str
    p_wilcoxon: float


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
    compared: Compared | None
    word: Word | str
    verdict: str
    reached: tuple[Reached, ...] = ()
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
        parts: what each section computed, by the section's name; none of a table alone.
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
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    missing: tuple[Missing, ...]
    skipped: tuple[Left, ...]
    mirror: Mirror
    selector: Metric | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """One line; in full it would be hundreds of thousands of characters."""
        return f"<report of {self.title}: {self.headline}; {self.counts}>"
