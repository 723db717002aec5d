"""Intervals of one variant: known answers, coverage by simulation, and what is refused."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from mnist_seq.stats import (
    BOOTSTRAP_MIN_N,
    bootstrap_interval,
    describe,
    mean_interval,
    paired_comparison,
    proportion_interval,
)
from tests.conftest import some

BAND = (0.93, 0.97)  # of a 95 % interval in a simulation, with room for chance


@pytest.mark.parametrize("n", [2, 3, 5, 10, 31])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_mean_interval_equals_scipy(n: int, level: float) -> None:
    """The interval in every table; scipy reaches it by another route."""
    x = np.random.default_rng(n).normal(98, 0.1, n)
    expected = scipy_stats.ttest_1samp(x, 0.0).confidence_interval(level)
    found = mean_interval(x, level)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert (found.level, found.kind) == (level, "t")


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("n", some([5, 3, 10, 20], 1))
def test_95_percent_intervals_of_paired_differences_cover_93_to_97_percent(n: int) -> None:
    """An interval that covers less than it says makes differences out of noise."""
    rng = np.random.default_rng(100 + n)
    true = 0.3
    shared = rng.normal(98, 0.2, size=(5000, n))
    a = shared + true + rng.normal(0, 0.1, size=shared.shape)
    b = shared + rng.normal(0, 0.1, size=shared.shape)
    found = [paired_comparison(x, y).interval for x, y in zip(a, b, strict=True)]
    coverage = np.mean([not interval.excludes(true) for interval in found])
    assert BAND[0] <= coverage <= BAND[1], coverage


def _bca_coverage(n: int) -> float:
    x = np.random.default_rng(n).normal(size=(5000, n))
    result = scipy_stats.bootstrap(
        (x,),
        np.mean,
        axis=-1,
        n_resamples=4000,
        method="BCa",
        batch=200,
        vectorized=True,
        rng=np.random.default_rng(1),
    ).confidence_interval
    return float(np.mean((result.low <= 0) & (result.high >= 0)))


@pytest.mark.slow
def test_the_bootstrap_covers_at_its_smallest_n_but_not_at_10() -> None:
    """The limit is a measurement; this measures it again, with scipy on all samples at once."""
    assert BAND[0] <= _bca_coverage(BOOTSTRAP_MIN_N) <= BAND[1]
    assert _bca_coverage(10) < BAND[0]


@pytest.mark.parametrize("n", [1, 10, BOOTSTRAP_MIN_N - 1])
def test_a_bootstrap_interval_is_refused_where_it_is_too_narrow(n: int) -> None:
    """Offered at 10 seeds, it would call a difference in 10 % of A/A comparisons."""
    with pytest.raises(ValueError, match=rf"n >= {BOOTSTRAP_MIN_N}.*n={n}.*mean_interval"):
        bootstrap_interval(np.linspace(0, 1, n))


def test_a_bootstrap_interval_equals_scipy_and_repeats() -> None:
    """The same report twice must show the same numbers."""
    x = np.random.default_rng(0).normal(size=40)
    rng = np.random.default_rng(7)
    expected = scipy_stats.bootstrap((x,), np.mean, method="BCa", rng=rng).confidence_interval
    found = bootstrap_interval(x, rng_seed=7)
    assert (found.low, found.high) == (expected.low, expected.high)
    assert found == bootstrap_interval(x, rng_seed=7)
    constant = bootstrap_interval(np.full(40, 0.3))
    assert (constant.low, constant.high, constant.kind) == (0.3, 0.3, "constant")


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 11])
def test_describe_equals_numpy_and_scipy(n: int) -> None:
    """Median and interquartile mean stand beside the mean for outliers' sake."""
    x = np.random.default_rng(n).normal(98, 0.1, n)
    found = describe(x)
    assert found.n == n
    assert found.mean == x.mean()
    assert found.median == np.median(x)
    assert found.iqm == pytest.approx(scipy_stats.trim_mean(x, 0.25), rel=1e-14)
    if n > 1:
        assert found.sd == x.std(ddof=1)


def test_one_seed_has_a_mean_but_no_interval() -> None:
    """A lone run must show in the table without looking certain."""
    found = describe(np.array([97.5]))
    assert (found.mean, found.median, found.iqm) == (97.5, 97.5, 97.5)
    assert math.isnan(found.sd)
    assert math.isnan(found.interval.low)
    assert math.isnan(found.interval.high)
    assert not found.interval.excludes(0.0)


def test_equal_seeds_have_no_spread_even_in_floating_point() -> None:
    """0.1 three times has a mean of 0.10000000000000002 and an sd of 1e-17 in numpy."""
    found = describe(np.full(3, 0.1))
    assert found.sd == 0.0
    assert found.interval.kind == "constant"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_missing_value_is_refused_by_position(bad: float) -> None:
    """Dropping a diverged run would flatter the variant that diverges."""
    with pytest.raises(ValueError, match=r"not at positions \[1\].*diverged"):
        describe(np.array([1.0, bad, 2.0]))


def test_no_runs_and_impossible_levels_are_refused() -> None:
    """Each fails with its rule, not with a NaN further on."""
    with pytest.raises(ValueError, match="n >= 1, but x has n=0"):
        describe(np.array([]))
    with pytest.raises(ValueError, match="level lies between 0 and 1, but is 95"):
        mean_interval(np.array([1.0, 2.0]), 95.0)


@pytest.mark.parametrize(("k", "n"), [(0, 5), (3, 5), (5, 5), (7, 20)])
def test_proportion_interval_equals_scipy(k: int, n: int) -> None:
    """The interval of P(better) over paired seeds."""
    expected = scipy_stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    found = proportion_interval(float(k), n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_proportion_interval_takes_half_a_success_for_a_tie() -> None:
    """Ties count one half in P(better), so its interval must lie between its neighbours."""
    below, half, above = (proportion_interval(k, 8) for k in (3.0, 3.5, 4.0))
    assert below.low < half.low < above.low
    assert below.high < half.high < above.high
    with pytest.raises(ValueError, match=r"0\.\.n"):
        proportion_interval(6.0, 5)
