"""What paired and unpaired comparisons of a variant with its baseline have in common."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from mnist_seq.stats.intervals import Interval
from mnist_seq.stats.permutation import NUM_RANDOM


@dataclass(frozen=True, kw_only=True)
class Comparison(ABC):
    """What the seeds of a variant a and of its baseline b say about a - b.

    Attributes:
        n: pairs, or the seeds on the smaller side.
        difference: in the unit of a; its sign knows nothing of which way is better.
        p_t: t-test; `p_permutation` where there is no spread, since without it t has no meaning.
        p_permutation: exact if `is_exact`.
        permutation_floor: smallest p that these seeds could give.
        effect_size: the difference in units of a spread, called `effect_name`.
        p_better: chance that a is better, ties one half.
        detectable: smallest true difference seen with the given power (80 %) at these n and sds.
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
    rearrangements: ClassVar[str]

    @property
    @abstractmethod
    def n_text(self) -> str:
        """Seeds, for a sentence: "8", or "8 and 5"."""

    @property
    def permutation(self) -> str:
        """What `p_permutation` counts: "exact sign flips", "20,000 random splits of the seeds"."""
        return f"{'exact' if self.is_exact else f'{NUM_RANDOM:,} random'} {self.rearrangements}"

    @property
    @abstractmethod
    def spread(self) -> float:
        """Standard deviation that a number of seeds is planned with."""
