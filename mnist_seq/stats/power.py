"""Computes which difference n seeds can show, and how many seeds a difference needs."""

import math
from functools import lru_cache

import numpy as np
from scipy.special import nctdtr, stdtrit

from mnist_seq.stats.samples import check_fraction

MOST_SEEDS = 1000  # nobody trains more; above it the answer is "more than 1,000"


def t_test_power(noncentrality: float, df: float, alpha: float) -> float:
    """Power of a two-sided t-test for a true difference of `noncentrality` >= 0 standard errors.

    Source: Cohen 1988, with both tails of the noncentral t.
    """
    critical = stdtrit(df, 1 - alpha / 2)
    # scipy returns NaN for some tiny probabilities (seen below 1e-15); they count as 0
    missed, wrong = np.nan_to_num(nctdtr(df, noncentrality, [critical, -critical]))
    return float(1 - missed + wrong)


@lru_cache(maxsize=4096)
def needed_noncentrality(df: float, alpha: float, power: float) -> float:
    """True difference, in standard errors, that a two-sided t-test shows with `power`.

    Raises:
        ValueError: df <= 0; alpha or power outside (0, 1); or power <= alpha.
    """
    check_fraction("alpha", alpha)
    check_fraction("power", power)
    if power <= alpha:
        raise ValueError(f"power must exceed alpha={alpha}, but is {power}; 0.8 is usual")
    if not df > 0:
        raise ValueError(f"power needs n >= 2, but the degrees of freedom are {df}; add seeds")
    from scipy.optimize import brentq

    high = 1.0
    while t_test_power(high, df, alpha) < power:
        high *= 2
    return float(brentq(lambda nc: t_test_power(nc, df, alpha) - power, 0.0, high, xtol=1e-9))


def detectable_difference(
    n: int, sd: float, *, alpha: float = 0.05, power: float = 0.8, paired: bool = True
) -> float:
    """Smallest true difference that n seeds show with the given power.

    Args:
        n: number of seeds; of each side, if unpaired.
        sd: standard deviation of the paired differences, or of one side if unpaired.

    Returns:
        A difference in the unit of `sd`.

    Raises:
        ValueError: n < 2, sd < 0 or not finite; alpha or power outside (0, 1) or power <= alpha.
    """
    _check_sd(sd)
    if n < 2:
        raise ValueError(f"power needs n >= 2, but n={n}; add seeds")
    df, scale = (n - 1, 1 / math.sqrt(n)) if paired else (2 * n - 2, math.sqrt(2 / n))
    return needed_noncentrality(float(df), alpha, power) * scale * sd


def seeds_needed(
    difference: float,
    sd: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    paired: bool = True,
) -> int | None:
    """Smallest number of seeds (of each side, if unpaired) that shows a true difference.

    Args:
        difference, sd: as in `detectable_difference`, in one unit.

    Returns:
        None if more than 1,000 are needed; for a difference of 0 always.

    Raises:
        ValueError: as `detectable_difference`; a difference that is not finite.
    """
    _check_sd(sd)
    if not math.isfinite(difference):
        raise ValueError(f"the difference must be finite, but is {difference}; check the runs")

    def is_enough(n: int) -> bool:
        visible = detectable_difference(n, sd, alpha=alpha, power=power, paired=paired)
        return difference != 0 and visible <= abs(difference)

    if not is_enough(MOST_SEEDS):
        return None
    low, high = 1, MOST_SEEDS  # low is too few, high is enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _check_sd(sd: float) -> None:
    if not (math.isfinite(sd) and sd >= 0):
        raise ValueError(f"sd must be finite and not negative, but is {sd}; it needs two runs")
