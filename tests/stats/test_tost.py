"""Equivalence: TOST against statsmodels, and its error rate."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

from mnist_seq.stats import (
    Equivalence,
    equivalence,
    paired_comparison,
    posterior,
    welch_comparison,
)


def tost_paired(a: np.ndarray, b: np.ndarray, margin: float, alpha: float = 0.05) -> Equivalence:
    return equivalence(paired_comparison(a, b), margin, alpha=alpha)


def tost_welch(a: np.ndarray, b: np.ndarray, margin: float) -> Equivalence:
    return equivalence(welch_comparison(a, b), margin)


@pytest.mark.parametrize("margin", [0.05, 0.2, 0.5])
def test_tost_equals_statsmodels(margin: float) -> None:
    """Both the paired and the Welch form."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.05, 0.2, 8), rng.normal(0, 0.1, 8)
    paired = ttost_paired(a, b, -margin, margin)[0]
    assert tost_paired(a, b, margin).p == pytest.approx(paired, rel=1e-9)
    welch = ttost_ind(a, b[:6], -margin, margin, usevar="unequal")[0]
    assert tost_welch(a, b[:6], margin).p == pytest.approx(welch, rel=1e-9)


def test_equivalent_means_that_the_90_percent_interval_lies_inside_the_margin() -> None:
    """The reader sees the interval; the verdict must not contradict it."""
    rng = np.random.default_rng(1)
    verdicts = set()
    for _ in range(200):
        a, b = rng.normal(0, 0.1, 5), rng.normal(0, 0.1, 5)
        for found in (tost_paired(a, b, 0.15), tost_welch(a, b, 0.15)):
            inside = found.interval.low > -0.15 and found.interval.high < 0.15
            assert found.is_equivalent == inside == (found.p < 0.05)
            assert found.interval.level == pytest.approx(0.9)
            verdicts.add(inside)
    assert verdicts == {True, False}


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_difference_as_large_as_the_margin_is_called_equivalent_in_5_percent() -> None:
    """The error that TOST bounds: saying "no loss" where there is one."""
    d = np.random.default_rng(2).normal(0.1, 0.03, size=(4000, 6))
    calls = np.mean([tost_paired(x, np.zeros(6), 0.1).is_equivalent for x in d])
    assert calls == pytest.approx(0.05, abs=0.012)


def test_equal_runs_are_equivalent_once_there_are_enough() -> None:
    """Without spread t has no meaning; two equal seeds are still only two seeds."""
    assert not tost_paired(np.ones(4), np.ones(4), 0.1).is_equivalent
    assert tost_paired(np.ones(5), np.ones(5), 0.1).p == 2.0**-5
    assert tost_paired(np.ones(5) + 0.2, np.ones(5), 0.1).p == 1.0
    assert tost_welch(np.ones(4), np.ones(4), 0.1).is_equivalent


@pytest.mark.parametrize("margin", [0.0, -0.1, float("inf"), float("nan")])
def test_a_margin_that_is_none_is_refused(margin: float) -> None:
    """A margin is declared, not guessed."""
    with pytest.raises(ValueError, match="a margin is positive and finite"):
        tost_paired(np.arange(3.0), np.zeros(3), margin)
    with pytest.raises(ValueError, match=r"alpha < 0\.5"):
        tost_paired(np.arange(3.0), np.zeros(3), 0.1, alpha=0.5)


def test_the_posterior_is_the_t_distribution_around_the_difference() -> None:
    """Its probabilities sum to 1, and agree with the interval at its ends."""
    found = paired_comparison(np.array([1.0, 2.0, 4.0, 3.0]), np.array([0.5, 1.9, 2.0, 2.5]))
    at = found.interval.high
    assert at > -found.interval.low
    p = posterior(found, at)
    assert p is not None
    assert p.better == pytest.approx(0.025)
    assert p.better + p.equal + p.worse == pytest.approx(1)
    expected = scipy_stats.t(found.df, found.difference, found.standard_error).cdf(-at)
    assert p.worse == pytest.approx(expected)
    turned = posterior(replace(found, higher_is_better=False), at)
    assert turned is not None
    assert (turned.better, turned.worse) == (p.worse, p.better)


def test_without_a_spread_there_is_no_posterior() -> None:
    assert posterior(paired_comparison(np.array([2.0, 3.0]), np.array([1.0, 2.0])), 0.1) is None
    with pytest.raises(ValueError, match="a margin is positive"):
        posterior(paired_comparison(np.array([2.0, 3.0]), np.array([1.0, 4.0])), 0.0)
