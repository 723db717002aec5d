"""Welch comparisons: for seeds that do not pair."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from mnist_seq.stats import detectable_difference, welch_comparison
from tests.conftest import some


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 5), (10, 10), (4, 20)])
def test_welch_comparison_equals_scipy(n: int, m: int) -> None:
    """Test, interval and P(better) each have their own library call."""
    rng = np.random.default_rng(n)
    a, b = rng.normal(1, 1, n), rng.normal(0, 3, m)
    found = welch_comparison(a, b)
    expected = scipy_stats.ttest_ind(a, b, equal_var=False)
    ci = expected.confidence_interval(0.95)
    assert found.p_t == pytest.approx(expected.pvalue, rel=1e-10)
    assert found.df == pytest.approx(expected.df, rel=1e-12)
    assert (found.interval.low, found.interval.high) == pytest.approx((ci.low, ci.high), rel=1e-10)
    assert found.interval.kind == "welch-t"
    assert found.p_better == pytest.approx(scipy_stats.mannwhitneyu(a, b).statistic / (n * m))
    assert (found.n, found.n_a, found.n_b) == (min(n, m), n, m)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("ratio", some([1, 3], 1))
def test_welch_intervals_cover_93_to_97_percent(ratio: int) -> None:
    """Unequal spreads are why it is Welch and not Student."""
    rng = np.random.default_rng(ratio)
    a, b = rng.normal(0, ratio, size=(4000, 5)), rng.normal(0, 1, size=(4000, 6))
    found = [welch_comparison(x, y).interval.excludes(0.0) for x, y in zip(a, b, strict=True)]
    assert 0.93 <= 1 - np.mean(found) <= 0.97


def test_effect_and_detectable_reduce_to_the_textbook_for_equal_spreads() -> None:
    """With equal n and sd the Welch forms are Hedges' g and the two-sample power formula."""
    a, b = np.array([1.0, 2, 3, 4, 5]), np.array([0.0, 1, 2, 3, 4])
    found = welch_comparison(a, b)
    sd = np.std(a, ddof=1)
    assert found.detectable == pytest.approx(detectable_difference(5, sd, paired=False), rel=1e-9)
    assert found.effect_size == pytest.approx((1 / sd) * (1 - 3 / (4 * 8 - 1)), rel=1e-3)


def test_swapping_the_sides_changes_signs_only() -> None:
    """Which side is called baseline must not decide whether there is a difference."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 4), rng.normal(1, 2, 6)
    ab, ba = welch_comparison(a, b), welch_comparison(b, a)
    assert ab.difference == -ba.difference
    assert ab.effect_size == pytest.approx(-ba.effect_size)
    assert (ab.p_t, ab.p_permutation) == pytest.approx((ba.p_t, ba.p_permutation))
    assert ab.p_better == pytest.approx(1 - ba.p_better)
    down = welch_comparison(a, b, higher_is_better=False)
    assert down.p_better == pytest.approx(1 - ab.p_better)


def test_ties_count_one_half_in_p_better() -> None:
    """A win needs more than a tie."""
    assert welch_comparison(np.array([1.0, 2.0]), np.array([1.0, 2.0])).p_better == 0.5


def test_two_constant_sides_take_their_p_from_the_permutations() -> None:
    """0 / 0 in t would warn and give NaN, and x / 0 would give p = 0 out of two seeds."""
    equal = welch_comparison(np.full(3, 0.1), np.full(4, 0.1))
    assert (equal.p_t, equal.difference, equal.effect_size, equal.detectable) == (
        1.0,
        0.0,
        0.0,
        0.0,
    )
    apart = welch_comparison(np.full(3, 0.2), np.full(3, 0.1))
    assert apart.p_t == apart.p_permutation == 0.1
    assert apart.effect_size == np.inf


def test_one_constant_side_is_no_trap() -> None:
    """Welch stands it: all spread comes from the other side."""
    found = welch_comparison(np.ones(5), np.array([0.0, 1.0, 2.0]))
    assert found.df == pytest.approx(2.0)
    assert found.p_t == pytest.approx(1.0)


def test_a_nan_or_a_lone_seed_is_refused() -> None:
    """As in the paired case, nothing is dropped silently."""
    with pytest.raises(ValueError, match=r"b is not at positions \[0\]"):
        welch_comparison(np.ones(3), np.array([np.nan, 1.0]))
    with pytest.raises(ValueError, match="n >= 2, but b has n=1"):
        welch_comparison(np.ones(3), np.ones(1))
