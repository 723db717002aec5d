"""The result of comparing a variant with its baseline; `paired` and `unpaired` fill it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from mnist_seq.stats.intervals import Interval
from mnist_seq.stats.permutation import NUM_RANDOM


@dataclass(frozen=True, kw_only=True)
class Comparison(ABC):
    """Difference between a variant a and its baseline b, over their seeds.

    A report shows these numbers; its columns are explained here. Values and differences have the
    unit of the metric. Every test is two-sided.

    Attributes:
        n: number of pairs; unpaired, the number of seeds of the smaller side.
        difference: mean(a) - mean(b). Positive is better if `higher_is_better`, else worse.
        interval: Student-t interval of the difference; Welch's if unpaired.
        standard_error: of the difference.
        df: degrees of freedom of the t-test and of the interval.
        p_t: p of the t-test of difference = 0. Where the standard error is 0, t has no meaning, and
            this is `p_permutation`.
        p_permutation: p of the permutation test: sign flips if paired, splits if unpaired.
        is_exact: whether `p_permutation` counts all rearrangements, or a random sample of them.
        permutation_floor: smallest p that the permutation test could give with these seeds.
        effect_size: the difference divided by a spread over seeds; `effect_name` says which.
        p_better: probability that a seed of a is better than one of b; ties count one half.
        detectable: smallest true difference that a test at these n and spreads would show, with the
            power that was asked for (80 % by default).
        higher_is_better: whether a larger value of the metric is better.
        is_paired: whether a and b have the same seeds, compared seed by seed.
        effect_name: "d_z" (Cohen; spread of the differences) or "Hedges' g" (spread of the sides).
    """

    n: int
    difference: float
    interval: Interval
    standard_error: float
    df: float
    p_t: float
    p_permutation: float
    is_exact: bool
    permutation_floor: float
    effect_size: float
    p_better: float
    detectable: float
    higher_is_better: bool

    is_paired: ClassVar[bool]
    effect_name: ClassVar[str]
    rearrangements: ClassVar[str]  # what the permutation test counts, in words

    @property
    @abstractmethod
    def n_text(self) -> str:
        """Number of seeds in words: "8", or "8 and 5" for two unequal sides."""

    @property
    def permutation(self) -> str:
        """How `p_permutation` was counted: "exact sign flips", "20,000 random sign flips", ..."""
        return f"{'exact' if self.is_exact else f'{NUM_RANDOM:,} random'} {self.rearrangements}"

    @property
    @abstractmethod
    def spread(self) -> float:
        """Standard deviation from which the number of needed seeds is computed (`seeds_needed`)."""
