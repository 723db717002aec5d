"""What N differences show over all looks so far: p, confidence sequence, equivalence."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mnist_seq.stats.intervals import Interval
from mnist_seq.stats.samples import ROUNDING, check_fraction, check_sample
from mnist_seq.stats.sequential.evalues import (
    Kind,
    critical_t,
    log_e_greater_path,
    log_e_path,
)

SEQUENCE = "confidence sequence"  # the kind of the interval


@dataclass(frozen=True, kw_only=True)
class Looks:
    """The evidence of n differences at every look so far, at 1, 2, ..., n seeds.

    Attributes:
        n: number of pairs.
        kind: model of the e-value.
        log_e: log e-values against "the mean is 0" after each seed.
        p: 1 / (largest e so far), at most 1. P(p <= a at any n) <= a, and it never rises.
        difference: mean difference at the seed at which e was largest: the side that p speaks of.
        interval: interval of the mean difference; NaN while n seeds cannot give one. All intervals
            of all looks hold the true mean together, with the probability of its level.
        p_equivalence: p of |mean| >= margin over all looks; NaN without a margin.
    """

    n: int
    kind: Kind
    log_e: tuple[float, ...]
    p: float
    difference: float
    interval: Interval
    p_equivalence: float

    def decided_at(self, threshold: float) -> int:
        """Number of seeds at which e first was `threshold` or more; 0 if it never was."""
        reached = (at for at, e in enumerate(self.log_e, 1) if e >= math.log(threshold))
        return next(reached, 0)


def look(
    d: Float[np.ndarray, " N"],
    *,
    kind: Kind = "mixture",
    level: float = 0.95,
    margin: float | None = None,
    scale: float = 0.0,
) -> Looks:
    """The evidence of differences in the order in which their seeds were planned.

    Args:
        kind: model of the e-value; the interval and equivalence always have the mixture's.
        level: coverage of the confidence sequence, 0.95 for 95 %.
        margin: smallest difference that matters, declared before anybody saw a result.
        scale: largest absolute value that was subtracted; spreads below its float64 rounding count
            as none.

    Raises:
        ValueError: N < 1, a value that is not finite, or a level outside (0, 1).
    """
    check_sample("d", d, at_least=1)
    check_fraction("level", level)
    x = d.astype(np.float64)
    noise = ROUNDING * max(scale, float(np.abs(x).max()))
    log_e = log_e_path(x, kind=kind, noise=noise)
    peak = int(np.argmax(log_e)) + 1
    low, high = confidence_sequence(x, alpha=round(1 - level, 12), noise=noise)
    return Looks(
        n=len(x),
        kind=kind,
        log_e=tuple(map(float, log_e)),
        p=p_of(log_e),
        difference=float(x[:peak].mean()),
        interval=Interval(low, high, level, SEQUENCE),
        p_equivalence=math.nan if margin is None else p_equivalent(x, margin, noise=noise),
    )


def p_of(log_e: Float[np.ndarray, " N"]) -> float:
    """p over all looks so far: 1 / (largest e), at most 1."""
    return min(1.0, math.exp(-float(log_e.max())))


def p_equivalent(d: Float[np.ndarray, " N"], margin: float, *, noise: float = 0.0) -> float:
    """p of |mean| >= margin over all looks: two one-sided e-values, each at its largest.

    No correction between the two: both must be rejected (intersection-union).

    Raises:
        ValueError: margin <= 0.
    """
    if not 0 < margin < math.inf:
        raise ValueError(f"a margin is positive and finite, but is {margin}; in the metric's unit")
    above = log_e_greater_path(d + margin, noise=noise).max()  # against a mean of -margin or below
    below = log_e_greater_path(margin - d, noise=noise).max()  # against a mean of margin or above
    return min(1.0, math.exp(-float(min(above, below))))


def confidence_sequence(
    d: Float[np.ndarray, " N"], *, alpha: float, noise: float = 0.0
) -> tuple[float, float]:
    """The interval after N seeds: the intersection of the intervals after 1, 2, ..., N seeds.

    It excludes 0 exactly where p <= alpha, but for differences without spread, which have a p and
    no interval. Each interval is mean +- c sd / sqrt(n), with c from `critical_t`. Where nothing is
    left of the intersection (the model is wrong, or the 1 in 1/alpha bad luck), this is the
    interval of the N seeds alone.

    Returns:
        NaN twice where no interval is finite yet.
    """
    n = np.arange(1.0, len(d) + 1)
    mean = np.cumsum(d) / n
    # not by sums of squares, which cancel where the mean is much larger than the spread
    sd = np.array([d[: k + 1].std() for k in range(len(d))]) * np.sqrt(n / np.maximum(n - 1, 1))
    critical = critical_t(n, alpha)
    is_open = np.isinf(critical) | (sd <= noise)
    half = np.where(is_open, np.inf, np.where(is_open, 0.0, critical) * sd / np.sqrt(n))
    low, high = float((mean - half).max()), float((mean + half).min())
    if low > high:
        low, high = float(mean[-1] - half[-1]), float(mean[-1] + half[-1])
    return (low, high) if math.isfinite(low) else (math.nan, math.nan)
