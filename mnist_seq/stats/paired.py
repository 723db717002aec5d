"""Compares a variant with its baseline, paired by seed."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from mnist_seq.stats.comparison import Comparison
from mnist_seq.stats.intervals import Interval, proportion_interval, t_interval, t_test_p
from mnist_seq.stats.permutation import sign_flip_test
from mnist_seq.stats.power import detectable_difference
from mnist_seq.stats.samples import mean, paired_differences, sd


@dataclass(frozen=True, kw_only=True)
class PairedComparison(Comparison):
    """Comparison over n pairs: each seed has a run of the variant and a run of the baseline.

    `p_permutation` is that of the sign-flip test; its floor is 2^(1 - n) unless differences are 0.
    `effect_size` is Cohen's d_z = difference / sd_difference (0 or infinite where the sd is 0).
    `p_better` is the share of seeds at which a is better.

    Attributes:
        p_better_interval: Clopper-Pearson interval of `p_better`.
        correlation: of a and b over seeds; the higher it is, the more pairing helps. NaN where a
            side is constant.
        sd_difference: sample standard deviation of the n differences.
        mean_a, mean_b: of each side over the n pairs.
    """

    p_better_interval: Interval
    correlation: float
    sd_difference: float
    mean_a: float
    mean_b: float

    is_paired: ClassVar[bool] = True
    effect_name: ClassVar[str] = "d_z"
    rearrangements: ClassVar[str] = "sign flips"

    @property
    def n_text(self) -> str:
        """Number of pairs, in words."""
        return str(self.n)

    @property
    def spread(self) -> float:
        """Standard deviation of the differences."""
        return self.sd_difference


def paired_comparison(
    a: Float[np.ndarray, " N"],
    b: Float[np.ndarray, " N"],
    *,
    level: float = 0.95,
    power: float = 0.8,
    higher_is_better: bool = True,
    rng_seed: int = 0,
) -> PairedComparison:
    """Compare a variant with its baseline over the seeds that both have.

    Args:
        a, b: variant and baseline; a[i] and b[i] come from the same seed.
        level: coverage of the intervals as a fraction; alpha of `detectable` is 1 - level.
        power: power of `detectable`.
        higher_is_better: False for a loss or an error rate.
        rng_seed: seed of the random sign flips, which replace the exact test above 36 seeds.

    Raises:
        ValueError: N < 2, unequal lengths, or a NaN or infinity on either side (a pair is never
            dropped silently).

    Source: Student 1908; Cohen 1988 (d_z); Fisher 1935 (sign flips).
    """
    d = paired_differences(a, b)
    n, df = len(d), float(len(d) - 1)
    difference, spread = mean(d), sd(d)
    standard_error = spread / math.sqrt(n)
    flips = sign_flip_test(d, rng_seed=rng_seed)
    wins = float((d > 0).sum() if higher_is_better else (d < 0).sum()) + 0.5 * float((d == 0).sum())
    return PairedComparison(
        n=n,
        difference=difference,
        interval=t_interval(difference, standard_error, df, level=level),
        standard_error=standard_error,
        df=df,
        p_t=t_test_p(difference / standard_error, df) if spread > 0 else flips.p,
        p_permutation=flips.p,
        is_exact=flips.is_exact,
        permutation_floor=flips.floor,
        effect_size=ratio(difference, spread),
        p_better=wins / n,
        p_better_interval=proportion_interval(wins, n, level),
        detectable=detectable_difference(n, spread, alpha=round(1 - level, 12), power=power),
        correlation=_correlation(a, b),
        sd_difference=spread,
        mean_a=mean(a.astype(np.float64)),
        mean_b=mean(b.astype(np.float64)),
        higher_is_better=higher_is_better,
    )


def wilcoxon_p(
    a: Float[np.ndarray, " N"], b: Float[np.ndarray, " N"], *, rng_seed: int = 0
) -> float:
    """Two-sided p of the Wilcoxon signed-rank test; exact, also with ties, up to 36 seeds.

    Seeds at which a and b are equal get no rank, as in Wilcoxon's paper; if all are equal, p is 1.

    Raises:
        ValueError: N < 2, unequal lengths, or a value that is not finite.

    Source: Wilcoxon 1945, as the sign-flip test of the signed midranks.
    """
    d = paired_differences(a, b)
    d = d[d != 0]
    if len(d) == 0:
        return 1.0
    # differences that differ by rounding only share a rank: 0.3 - 0.2 and 0.2 - 0.1 do
    size = np.round(np.abs(d) / np.abs(d).max(), 9)
    ranks = ((size[:, None] > size).sum(1) + (size[:, None] >= size).sum(1) + 1) / 2
    return sign_flip_test(np.sign(d) * ranks, rng_seed=rng_seed).p


def ratio(difference: float, spread: float) -> float:
    """difference / spread; at spread 0 it is 0 for no difference, else plus or minus infinity."""
    if spread > 0:
        return difference / spread
    return math.copysign(math.inf, difference) if difference != 0 else 0.0


def _correlation(a: Float[np.ndarray, " N"], b: Float[np.ndarray, " N"]) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])
