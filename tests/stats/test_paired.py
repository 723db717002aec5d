"""Paired comparisons: known answers, symmetries, and the degenerate samples of real sweeps."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.power import TTestPower

from mnist_seq.stats import paired_comparison, wilcoxon_p


def _sample(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shared = rng.normal(98, 0.2, n)
    return shared + rng.normal(0.05, 0.1, n), shared + rng.normal(0, 0.1, n)


@pytest.mark.parametrize("n", [2, 3, 5, 8, 12])
def test_paired_comparison_equals_scipy_and_statsmodels(n: int) -> None:
    """One result carries what four library calls give; each is checked against its own."""
    a, b = _sample(n)
    found = paired_comparison(a, b)
    expected = scipy_stats.ttest_rel(a, b)
    ci = expected.confidence_interval(0.95)
    assert found.p_t == pytest.approx(expected.pvalue, rel=1e-10)
    assert (found.interval.low, found.interval.high) == pytest.approx((ci.low, ci.high), rel=1e-10)
    assert found.difference == pytest.approx(np.mean(a) - np.mean(b))
    assert found.effect_size == pytest.approx(np.mean(a - b) / np.std(a - b, ddof=1))
    assert found.correlation == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert found.p_better == np.mean(a > b)
    if n > 2:  # at n = 2 statsmodels' own search does not converge
        unit = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
        assert found.detectable == pytest.approx(unit * found.sd_difference, rel=1e-4)


@pytest.mark.parametrize("n", [2, 5, 9])
def test_swapping_the_sides_changes_signs_only(n: int) -> None:
    """Which side is called baseline must not decide whether there is a difference."""
    a, b = _sample(n)
    ab, ba = paired_comparison(a, b), paired_comparison(b, a)
    assert ab.difference == -ba.difference
    assert (ab.interval.low, ab.interval.high) == (-ba.interval.high, -ba.interval.low)
    assert (ab.p_t, ab.p_permutation, ab.detectable) == (ba.p_t, ba.p_permutation, ba.detectable)
    assert ab.p_better == pytest.approx(1 - ba.p_better)


def test_fractions_and_percent_tell_the_same() -> None:
    """Files hold fractions, people read percent; a verdict may not depend on it."""
    a, b = _sample(7)
    percent, fraction = paired_comparison(a, b), paired_comparison(a / 100, b / 100)
    assert fraction.p_t == pytest.approx(percent.p_t)
    assert fraction.p_permutation == percent.p_permutation
    assert fraction.effect_size == pytest.approx(percent.effect_size)
    assert 100 * fraction.interval.high == pytest.approx(percent.interval.high)
    assert 100 * fraction.detectable == pytest.approx(percent.detectable)


def test_a_shift_of_both_sides_changes_nothing() -> None:
    """Only differences count; how good both are does not."""
    a, b = _sample(7)
    here, there = paired_comparison(a, b), paired_comparison(a - 90, b - 90)
    assert there.p_t == pytest.approx(here.p_t)
    assert there.interval.low == pytest.approx(here.interval.low)


def test_lower_is_better_turns_p_better_but_not_the_difference() -> None:
    """Errors and losses are compared too; a - b stays a - b."""
    a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 3.0, 4.0, 4.0])
    up, down = paired_comparison(a, b), paired_comparison(a, b, higher_is_better=False)
    assert (up.p_better, down.p_better) == (0.125, 0.875)
    assert up.difference == down.difference == -0.75


def test_equal_runs_give_p_1_and_an_interval_of_0() -> None:
    """A variant that changes nothing gives bitwise equal runs; that is no division by zero."""
    a = np.array([0.98, 0.97, 0.99, 0.98])
    found = paired_comparison(a, a.copy())
    assert (found.difference, found.interval.low, found.interval.high) == (0.0, 0.0, 0.0)
    assert (found.p_t, found.p_permutation, found.permutation_floor) == (1.0, 1.0, 1.0)
    assert (found.effect_size, found.p_better, found.detectable) == (0.0, 0.5, 0.0)
    assert found.interval.kind == "constant"


@pytest.mark.parametrize(("n", "p"), [(2, 0.5), (5, 0.0625), (6, 0.03125)])
def test_a_constant_gain_is_as_significant_as_its_seeds_allow(n: int, p: float) -> None:
    """t would be 1e15 from rounding alone: p = 0 out of two seeds."""
    b = np.random.default_rng(0).uniform(0.9, 1, n)
    found = paired_comparison(b + 0.1, b)
    assert found.sd_difference == 0.0
    assert (found.p_t, found.p_permutation) == (p, p)
    assert found.difference == found.interval.low == found.interval.high == pytest.approx(0.1)
    assert found.effect_size == math.inf
    assert paired_comparison(b - 0.1, b).effect_size == -math.inf


def test_results_are_plain_numbers() -> None:
    """A numpy bool or float in a result breaks json.dumps in a report."""
    found = paired_comparison(*_sample(6))
    flat = {k: v for k, v in asdict(found).items() if not isinstance(v, dict)}
    assert {type(v) for v in flat.values()} == {int, float, bool}
    json.dumps(asdict(found))


def test_a_constant_side_has_no_correlation() -> None:
    """numpy would warn and divide by zero."""
    found = paired_comparison(np.array([1.0, 2.0, 4.0]), np.ones(3))
    assert math.isnan(found.correlation)


@pytest.mark.parametrize("side", [0, 1])
def test_a_nan_on_either_side_is_refused(side: int) -> None:
    """Dropping the pair silently hides a diverged run."""
    pair = [np.arange(4.0), np.arange(4.0)[::-1].copy()]
    pair[side][2] = math.nan
    with pytest.raises(ValueError, match=rf"{'ab'[side]} is not at positions \[2\]"):
        paired_comparison(*pair)


def test_one_seed_and_unequal_lengths_are_refused() -> None:
    """numpy would broadcast five against one without a word."""
    with pytest.raises(ValueError, match="n >= 2, but a has n=1"):
        paired_comparison(np.ones(1), np.ones(1))
    with pytest.raises((ValueError, TypeError)):  # TypeError where jaxtyping checks shapes first
        paired_comparison(np.ones(5), np.ones(2))


@pytest.mark.parametrize("n", [4, 6, 10, 15])
def test_wilcoxon_equals_scipy(n: int) -> None:
    """Offered on request; scipy's exact distribution is the reference where nothing ties."""
    a, b = _sample(n, seed=n)
    expected = scipy_stats.wilcoxon(a, b, method="exact").pvalue
    assert wilcoxon_p(a, b) == pytest.approx(expected, rel=1e-12)


def test_wilcoxon_is_exact_with_ties_and_zeros() -> None:
    """Accuracies are multiples of 1e-4, so ties are usual and the normal approximation poor."""
    b = np.zeros(6)
    # signed ranks 1.5 -1.5 3 4 5: |W| >= 12 with all signs equal (2 of 32) or one 1.5 turned (4)
    assert wilcoxon_p(np.array([0.1, -0.1, 0.2, 0.3, 0.4, 0.0]), b) == (2 + 4) / 32
    assert wilcoxon_p(b, b) == 1.0
