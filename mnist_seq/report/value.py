"""The `Report` value: `build` computes it once, and every rendering reads it.

Plain data: texts, and numbers in the unit of the metric; NaN where one is missing. A rendering
formats and arranges them; it computes nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mnist_seq.config.text import in_one_line
from mnist_seq.report.read.asked import Asked
from mnist_seq.report.read.metric import Metric
from mnist_seq.stats import Comparison, Interval, Posterior, Rule, Verdict
from mnist_seq.stats.verdicts import Word

Kind = Literal["planned", "one look", "anytime"]  # how a comparison is read: analyse.readings


@dataclass(frozen=True)
class Point:
    """One point of a curve. The curve says what `low` and `high` mean; NaN if there is no band."""

    step: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Second:
    """A comparison read again, with each run that diverged or failed counted as a guess.

    Attributes:
        first: the word where these runs are left out.
        word: the word where they count; the verdict is withheld where the two words differ.
        difference, p_adjusted: where they count.
    """

    first: Word
    word: Word
    difference: float
    p_adjusted: float


@dataclass(frozen=True)
class Compared:
    """A variant against its baseline: the result of `stats`, kept whole.

    Attributes:
        pairing: which test was used, and why: "paired by seed, n=7 of 8 pairs: ...".
        p_wilcoxon: p of the signed-rank test; NaN unless it was requested and the seeds pair.
        detectable: smallest true difference that this n shows at the level by which the number of
            needed seeds is computed: alpha / number of comparisons where p is corrected.
        posterior: probabilities against the margin; None where none was declared.
        second: the second reading; None where no run of either side diverged or failed.
        kind: "planned": read once, at the planned number of seeds. "one look": no plan says so.
            "anytime": by e-values, which hold however often somebody looked.
        wide: interval that covers all `family_size` comparisons; None without a correction of a t.
    """

    comparison: Comparison
    verdict: Verdict
    pairing: str
    p_wilcoxon: float
    detectable: float = math.nan
    posterior: Posterior | None = None
    second: Second | None = None
    kind: Kind = "one look"
    wide: Interval | None = None
    family_size: int = 1


@dataclass(frozen=True)
class Pair:
    """Two variants by their keys, and how a compares with b; `compared` is None if it cannot."""

    a: int
    b: int
    verdict: Verdict
    compared: Compared | None


@dataclass(frozen=True)
class Reached:
    """When the seeds of a variant reached a threshold on valid/accuracy, in training seconds.

    Attributes:
        times: seconds of each seed that reached it.
        median: over all seeds. A seed that never reached it counts as later than all others;
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
        settings: the chosen values, as text; chosen from `num_tried` combinations.
        value: mean of the selection's metric over its n seeds, in the unit of the report.
        runner_up: that mean for the second best combination; NaN if there is none.
        text: "lr=0.01 of 4".
        remarks: what a reader should know: a value at the edge of those tried, ties, missing seeds.
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
    """The runs that differ only in their seed, with their numbers and their verdict.

    Attributes:
        key: position in `Report.variants`; other parts refer to a variant by it.
        name: for programs, "gru, hidden=32"; label: for people, "GRU, 32 hidden units".
        settings: the values of the swept keys, as text; factors: unchanged, for axes of charts.
        baseline: key of the baseline; None where it is missing, its own key for a baseline.
        n: number of finished runs, out of `planned`.
        not_learning: number of these n that are not shown to learn; they count like the others.
        p_diverged: adjusted p of Fisher's test that it diverges as often as its baseline; or NaN.
        pairs: (seed, difference to the baseline's run of that seed) where both finished; `apart`:
            their mean, which needs no second seed.
        word: the word of the verdict; "baseline" for a baseline.
        state_size, multiply_adds: what the model carries from step to step, and its products at one
            time step; NaN for runs of versions that did not count them.
        updates: optimizer steps, mean over its runs; early stopping may have ended some.
        step_seconds: training seconds over updates; beside: what trained at once, "2 at once".
        change: overrides by which an arm of a study differs from its baseline; else "".
        choice: the chosen values of tuned keys; None if nothing was tuned.
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
    state_size: float = math.nan
    multiply_adds: float = math.nan
    updates: float = math.nan
    step_seconds: float = math.nan
    beside: str = ""
    reached: tuple[Reached, ...] = ()
    change: str = ""
    choice: Choice | None = None
    p_diverged: float = math.nan
    pairs: tuple[tuple[int, float], ...] = ()
    apart: float = math.nan
    label: str = ""
    baseline_label: str = ""


@dataclass(frozen=True)
class RunRow:
    """One run, for the list of runs and the points of charts.

    Attributes:
        is_learning: False for a finished run that is not shown to learn; `reason` says why.
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
        """The state in words: "finished, not shown to learn"."""
        return self.state if self.is_learning else f"{self.state}, not shown to learn"


@dataclass(frozen=True)
class Missing:
    """Runs that a comparison lacks, and the command that adds them."""

    what: str
    seeds: tuple[int, ...]
    command: str


@dataclass(frozen=True)
class Left:
    """A folder that was skipped, with the reason."""

    folder: str
    reason: str


@dataclass(frozen=True)
class Mirror:
    """The runs in W&B; entity and project are "" if they were not mirrored.

    Attributes:
        ids: W&B's ids of the runs, by variant; groups: names of the sweeps.
    """

    entity: str
    project: str
    groups: tuple[str, ...]
    ids: Mapping[int, tuple[str, ...]]


@dataclass(frozen=True)
class Report:
    """A comparison, whole.

    Attributes:
        headline: the answer, in the sentences of the page; `besides`: on other baselines and pairs.
        counts: its runs; `warnings`: what weakens it; `notes`: other decisions.
        main: name of the metric by which the task is judged.
        selector: the validation metric by which tuned values were chosen, if any.
        seconds_differ: why the variants' seconds do not compare; cautions: what p does not cover.
        num_comparisons: size of the family that p is corrected over.
        undone: how many runs of the sweep are not done: "3 of 10 runs"; "" if all are.
        asked: the sweep's command and study; `parts`: of each section, empty for a table alone.
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
    main: str
    selector: Metric | None = None
    seconds_differ: str = ""
    cautions: tuple[str, ...] = ()
    num_comparisons: int = 0
    besides: tuple[str, ...] = ()
    undone: str = ""
    asked: Asked = field(default_factory=Asked)
    parts: Mapping[str, Any] = field(default_factory=dict)
    guess: float = math.nan  # what a guess gets on the metric
    tasks: Mapping[str, "Report"] = field(default_factory=dict)  # of several tasks: that of each

    @property
    def caution_sentences(self) -> tuple[str, ...]:
        """The cautions with a capital and a full stop."""
        return tuple(f"{text[0].upper()}{text[1:]}." for text in self.cautions)

    @property
    def cautioned(self) -> str:
        """The same as one text."""
        return " ".join(self.caution_sentences)

    def __repr__(self) -> str:
        """One line; the whole value would be hundreds of thousands of characters."""
        return in_one_line(f"<report of {self.title}: {self.headline} {self.counts}>")
