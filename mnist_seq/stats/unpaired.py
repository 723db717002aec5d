"""Compares a variant with its baseline where their seeds are not paired (Welch)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln

from mnist_seq.stats.comparison import Comparison
from mnist_seq.stats.intervals import t_interval, t_test_p
from mnist_seq.stats.paired import ratio
from mnist_seq.stats.permutation import split_test
from mnist_seq.stats.power import needed_noncentrality
from mnist_seq.stats.samples import check_sample, mean, sd


@dataclass(frozen=True, kw_only=True)
class WelchComparison(Comparison):
    """Comparison over n_a seeds of the variant and n_b independent seeds of the baseline.

    `p_t` is that of Welch's test, `p_permutation` that of `split_test`. `effect_size` is Hedges' g:
    the difference divided by the root of the mean variance of both sides, corrected for bias.
    `p_better` is the probability that a random seed of a beats a random seed of b, U / (n_a n_b).

    Attributes:
        n_a, n_b: numbers of seeds.
        sd_a, sd_b: sample standard deviations over seeds.
    """

    n_a: int
    n_b: int
    sd_a: float
    sd_b: float

    is_paired: ClassVar[bool] = False
    effect_name: ClassVar[str] = "Hedges' g"
    rearrangements: ClassVar[str] = "splits of the seeds"

    @property
    def n_text(self) -> str:
        """Numbers of seeds in words; one number where both sides have equally many."""
        return str(self.n) if self.n_a == self.n_b else f"{self.n_a} and {self.n_b}"

    @property
    def spread(self) -> float:
        """Root of the mean variance of both sides."""
        return math.sqrt((self.sd_a**2 + self.sd_b**2) / 2)


def welch_comparison(
    a: Float[np.ndarray, " N"],
    b: Float[np.ndarray, " M"],
    *,
    level: float = 0.95,
    power: float = 0.8,
    higher_is_better: bool = True,
    rng_seed: int = 0,
) -> WelchComparison:
    """Compare a variant with its baseline over independent seeds; their spreads may differ.

    Args:
        a, b: one value a seed, of variant and baseline.
        level: coverage of the interval as a fraction; alpha of `detectable` is 1 - level.
        power: power of `detectable`.
        higher_is_better: False for a loss or an error rate.
        rng_seed: seed of the random splits, which replace the exact test above 8 + 8 seeds.

    Raises:
        ValueError: fewer than 2 on a side, or a value that is not finite.

    Source: Welch 1947; g after Delacre et al. 2021 (g_s* with their degrees of freedom).
    """
    check_sample("a", a, at_least=2)
    check_sample("b", b, at_least=2)
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    difference, sd_a, sd_b = mean(a64) - mean(b64), sd(a64), sd(b64)
    standard_error, df = _welch(sd_a**2 / len(a), len(a), sd_b**2 / len(b), len(b))
    splits = split_test(a64, b64, rng_seed=rng_seed)
    wins = np.sign(a64[:, None] - b64) * (1 if higher_is_better else -1)
    return WelchComparison(
        n=min(len(a), len(b)),
        n_a=len(a),
        n_b=len(b),
        difference=difference,
        interval=t_interval(difference, standard_error, df, level=level, kind="welch-t"),
        standard_error=standard_error,
        df=df,
        p_t=t_test_p(difference / standard_error, df) if standard_error > 0 else splits.p,
        p_permutation=splits.p,
        is_exact=splits.is_exact,
        permutation_floor=splits.floor,
        effect_size=_hedges_g(difference, sd_a, len(a), sd_b, len(b)),
        p_better=float((wins.mean() + 1) / 2),
        detectable=needed_noncentrality(df, round(1 - level, 12), power) * standard_error,
        sd_a=sd_a,
        sd_b=sd_b,
        higher_is_better=higher_is_better,
    )


def _welch(var_a: float, n_a: int, var_b: float, n_b: int) -> tuple[float, float]:
    """Root of the sum of two variances, and the Satterthwaite degrees of freedom."""
    total = var_a + var_b
    if total == 0:
        return 0.0, float(n_a + n_b - 2)
    share_a, share_b = (
        var_a / total,
        var_b / total,
    )  # shares: squares of tiny variances underflow
    return math.sqrt(total), 1 / (share_a**2 / (n_a - 1) + share_b**2 / (n_b - 1))


def _hedges_g(difference: float, sd_a: float, n_a: int, sd_b: float, n_b: int) -> float:
    """Bias-corrected difference over the root mean variance (Delacre et al. 2021)."""
    root_sum, df = _welch(sd_a**2, n_a, sd_b**2, n_b)
    correction = math.exp(gammaln(df / 2) - gammaln((df - 1) / 2)) / math.sqrt(df / 2)
    return correction * ratio(difference, root_sum / math.sqrt(2))
