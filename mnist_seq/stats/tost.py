"""Tests whether a difference is too small to matter (TOST, two one-sided tests).

A small p here is evidence for equivalence. A large p of a t-test is not.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from mnist_seq.stats.comparison import Comparison
from mnist_seq.stats.intervals import Interval, t_interval
from mnist_seq.stats.samples import check_fraction


@dataclass(frozen=True)
class Equivalence:
    """Result of two one-sided tests against a declared margin.

    Attributes:
        margin: smallest difference that matters, in the unit of the metric.
        p: the larger of the two one-sided p values.
        interval: interval of the difference at level 1 - 2 alpha (90 % at alpha .05).
        is_equivalent: whether p < alpha. Where the standard error is not 0, this is the same as
            `interval` lying inside -margin..margin.
    """

    margin: float
    p: float
    interval: Interval
    is_equivalent: bool


@dataclass(frozen=True)
class Posterior:
    """Probabilities of the true difference against a margin; they sum to 1.

    Attributes:
        better, worse: that it is beyond the margin, to either side.
        equal: that it is smaller than the margin: practically equal.
    """

    better: float
    equal: float
    worse: float


def posterior(comparison: Comparison, margin: float) -> Posterior | None:
    """Probabilities that the true difference is above, within and below a margin.

    The posterior under the reference prior (flat in the mean and in the log of the spread) is the
    t distribution around the difference whose middle 95 % are the t-interval. No correction for
    several comparisons applies to it.

    Args:
        margin: smallest difference that matters, in the unit of the metric.

    Returns:
        None where the standard error is 0: t has no meaning there.

    Raises:
        ValueError: margin <= 0.

    Source: Benavoli et al. 2017, JMLR 18(77), the t-test with a region of practical equivalence.
    """
    if not 0 < margin < np.inf:
        raise ValueError(f"a margin is positive and finite, but is {margin}; in the metric's unit")
    if comparison.standard_error == 0:
        return None
    at = (np.array([-margin, margin]) - comparison.difference) / comparison.standard_error
    below, not_above = stdtr(comparison.df, at)
    above = float(stdtr(comparison.df, -at[1]))
    better, worse = (above, float(below)) if comparison.higher_is_better else (float(below), above)
    return Posterior(better, float(not_above - below), worse)


def equivalence(comparison: Comparison, margin: float, *, alpha: float = 0.05) -> Equivalence:
    """Two one-sided t-tests (TOST) of |difference| < margin.

    Where the standard error is 0, t has no meaning. p is then the smallest one-sided p that a
    permutation test could give with these seeds, or 1 if the difference is not within the margin.

    Args:
        comparison: paired or unpaired.
        margin: smallest difference that matters, in the unit of the metric; declared before anybody
            sees the results.

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
