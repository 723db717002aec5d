"""Computes the mean, spread and interval of one variant over its seeds."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import betaincinv, stdtr, stdtrit

from mnist_seq.stats.samples import check_fraction, check_sample, mean, sd

# Simulated coverage of the BCa interval of a Gaussian mean at level 95 %, in 20,000 to 40,000
# samples for each n: n = 10 90.2 %, 20 92.8, 25 93.1, 30 93.7, 40 93.8 (standard error 0.1 to 0.2).
# 30 is the first n clearly above 93 %; with Student-t(5) values 50 seeds still give 92.9 %.
# tests/stats/test_intervals.py repeats the simulation at the limit.
BOOTSTRAP_MIN_N = 30


@dataclass(frozen=True)
class Interval:
    """An interval with its level and its kind.

    Attributes:
        low, high: its ends, in the unit of the values; NaN where n = 1 leaves it undefined.
        level: coverage as a fraction, 0.95 for a 95 % interval.
        kind: "t", "welch-t", "bca", "bootstrap", "clopper-pearson", or "constant". "constant" means
            that all values are equal: low and high are that value, and the interval is no estimate
            of noise.
    """

    low: float
    high: float
    level: float
    kind: str

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside the interval; an interval of NaN excludes nothing."""
        return value < self.low or value > self.high


@dataclass(frozen=True)
class Description:
    """One variant over its n seeds.

    Attributes:
        sd: sample standard deviation over seeds (n - 1); NaN at n = 1.
        interval: Student-t interval of the mean; NaN at n = 1.
        iqm: interquartile mean, the mean of the middle half of the values.
    """

    n: int
    mean: float
    sd: float
    interval: Interval
    median: float
    iqm: float


def t_interval(
    center: float, standard_error: float, df: float, *, level: float, kind: str = "t"
) -> Interval:
    """Student-t interval around an estimate with a known standard error and degrees of freedom."""
    check_fraction("level", level)
    if standard_error == 0:
        return Interval(center, center, level, "constant")
    half = float(stdtrit(df, (1 + level) / 2)) * standard_error
    return Interval(center - half, center + half, level, kind)


def t_test_p(t: float, df: float) -> float:
    """Two-sided p of a t statistic."""
    return float(2 * stdtr(df, -abs(t)))


def mean_interval(x: Float[np.ndarray, " N"], level: float = 0.95) -> Interval:
    """Student-t interval of the mean over seeds.

    Args:
        x: one value a seed.
        level: coverage as a fraction, 0.95 for a 95 % interval.

    Returns:
        Low and high are NaN at N = 1: one run has no spread.

    Raises:
        ValueError: N = 0, or a value that is not finite.

    Source: Student 1908.
    """
    check_sample("x", x, at_least=1)
    check_fraction("level", level)
    n = len(x)
    if n == 1:
        return Interval(math.nan, math.nan, level, "t")
    x64 = x.astype(np.float64)
    return t_interval(mean(x64), sd(x64) / math.sqrt(n), float(n - 1), level=level)


def prediction_interval(mean: float, sd: float, n: int, *, level: float = 0.95) -> Interval:
    """Student-t interval in which one more value of a normal sample is expected.

    Args:
        mean, sd: of a sample of n values, n >= 2.

    Raises:
        ValueError: n < 2.

    Source: Hahn & Meeker 1991, Statistical Intervals, section 4.7.
    """
    if n < 2:
        raise ValueError(f"a prediction interval needs n >= 2, but n={n}; add seeds")
    return t_interval(mean, sd * math.sqrt(1 + 1 / n), float(n - 1), level=level)


def describe(x: Float[np.ndarray, " N"], level: float = 0.95) -> Description:
    """Mean, sd, t-interval of the mean, median and interquartile mean over seeds.

    Raises:
        ValueError: N = 0, or a value that is not finite.

    Source: IQM from Agarwal et al. 2021, arXiv:2108.13264. It cuts int(N / 4) values on each side,
        so below N = 4 it is the mean.
    """
    interval = mean_interval(x, level)
    x64 = x.astype(np.float64)
    n = len(x64)
    return Description(
        n=n,
        mean=mean(x64),
        sd=sd(x64) if n > 1 else math.nan,
        interval=interval,
        median=float(np.median(x64)),
        iqm=float(np.sort(x64)[n // 4 : n - n // 4].mean()),
    )


def bootstrap_interval(
    x: Float[np.ndarray, " N"],
    level: float = 0.95,
    *,
    num_resamples: int = 9999,
    rng_seed: int = 0,
) -> Interval:
    """BCa bootstrap interval of the mean; refused for few seeds, where it is too narrow.

    For notebooks with many seeds. Reports use the Student-t interval at any n.

    Raises:
        ValueError: N < `BOOTSTRAP_MIN_N`, where its coverage is below its level; or a value that is
            not finite.

    Source: Efron 1987; the limit is from our own simulation.
    """
    check_sample("x", x, at_least=1)
    check_fraction("level", level)
    n = len(x)
    if n < BOOTSTRAP_MIN_N:
        raise ValueError(
            f"a bootstrap interval needs n >= {BOOTSTRAP_MIN_N} to cover what it says, but n={n}; "
            "use mean_interval (Student t)"
        )
    x64 = x.astype(np.float64)
    if sd(x64) == 0:
        return Interval(float(x64[0]), float(x64[0]), level, "constant")
    from scipy.stats import bootstrap  # its import takes half a second

    found = bootstrap(
        (x64,),
        np.mean,
        confidence_level=level,
        n_resamples=num_resamples,
        method="BCa",
        rng=np.random.default_rng(rng_seed),
    ).confidence_interval
    return Interval(float(found.low), float(found.high), level, "bca")


def proportion_interval(successes: float, n: int, level: float = 0.95) -> Interval:
    """Clopper-Pearson interval of a proportion; its coverage is at least `level`, often more.

    Args:
        successes: out of n; a tie may count as one half.

    Raises:
        ValueError: n < 1, or successes outside 0..n.

    Source: Clopper & Pearson 1934.
    """
    check_fraction("level", level)
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(
            f"successes lie in 0..n with n >= 1, but are {successes} of {n}; check the counts"
        )
    tail = (1 - level) / 2
    low = betaincinv(successes, n - successes + 1, tail) if successes > 0 else 0.0
    high = betaincinv(successes + 1, n - successes, 1 - tail) if successes < n else 1.0
    return Interval(float(low), float(high), level, "clopper-pearson")
