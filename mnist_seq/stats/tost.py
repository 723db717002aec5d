"""Showing that a difference is too small to matter, unlike failing to show that there is one."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from mnist_seq.stats.comparison import Comparison
from mnist_seq.stats.intervals import Interval, t_interval
from mnist_seq.stats.samples import check_fraction


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests against a declared margin.

    Attributes:
        p: the larger of the two one-sided p values.
        interval: of the difference at level 1 - 2 alpha (90 % at alpha .05).
        is_equivalent: p < alpha; where the differences have spread, the same as the interval lying
            inside -margin..margin.
    """

    margin: float
    p: float
    interval: Interval
    is_equivalent: bool


def equivalence(comparison: Comparison, margin: float, *, alpha: float = 0.05) -> Equivalence:
    """Two one-sided t-tests (TOST) of |difference| < margin, from a comparison already made.

    Where the standard error is 0, t has no meaning: p is then the smallest one-sided p that a
    permutation test of these seeds could give, or 1 outside the margin.

    Args:
        margin: smallest difference that would matter, in the unit of the metric; declared before
            looking at the results.

    Raises:
        ValueError: margin <= 0, or alpha outside (0, 0.5).

    Source: Schuirmann 1987.
    """
    check_fraction("alpha", alpha)
    if not 0 < margin < np.inf:
        raise ValueError(f"a margin is positive and finite, but is {margin}; in the metric's unit")
    if alpha >= 0.5:
        raise ValueError(f"TOST needs alpha < 0.5, but it is {alpha}; 0.05 is usual")
    error, df = comparison.standard_error, comparison.df
    interval = t_interval(
        comparison.difference, error, df, level=1 - 2 * alpha, kind=comparison.interval.kind
    )
    room = margin - abs(comparison.difference)
    if error > 0:
        p = float(stdtr(df, -room / error))
    elif room <= 0:
        p = 1.0
    elif comparison.is_paired:
        p = 2.0**-comparison.n
    else:
        p = comparison.permutation_floor
    return Equivalence(margin=margin, p=p, interval=interval, is_equivalent=p < alpha)
