"""Permutation tests: exact where they say so, against brute force and scipy."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from mnist_seq.stats import fisher_p, sign_flip_test, split_test
from mnist_seq.stats.permutation import SIGN_FLIP_EXACT_N


@pytest.mark.parametrize("n", [1, 2, 3, 6, 9])
@pytest.mark.parametrize("decimals", [1, 12])
def test_sign_flips_equal_brute_force(n: int, decimals: int) -> None:
    """The count by halves must equal the list of all patterns, ties (1 decimal) included."""
    d = np.round(np.random.default_rng(n).normal(0.3, 1, n), decimals)
    patterns = np.array(list(itertools.product([-1, 1], repeat=n)))
    expected = np.mean(np.abs(patterns @ d) >= abs(d.sum()) - 1e-9)
    assert sign_flip_test(d).p == expected


def test_sign_flips_equal_scipy() -> None:
    """scipy enumerates the same test, more slowly."""
    d = np.random.default_rng(3).normal(0.4, 1, 8)
    expected = scipy_stats.permutation_test(
        (d,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_test(d).p == pytest.approx(expected.pvalue, abs=1e-15)


@pytest.mark.parametrize("n", range(1, 12))
def test_the_floor_is_2_to_the_1_minus_n_and_is_reached(n: int) -> None:
    """At 5 seeds the best possible p is .0625: no result can be significant."""
    found = sign_flip_test(np.linspace(1, 2, n))
    assert found.p == found.floor == 2.0 ** (1 - n)
    assert (found.floor < 0.05) == (n >= 6)


def test_differences_of_0_raise_the_floor() -> None:
    """Eight seeds of which three tie tell as little as five."""
    found = sign_flip_test(np.array([0.0, 0, 0, 1, 2, 3, 4, 5]))
    assert found.p == found.floor == 0.0625


def test_rounding_does_not_split_ties() -> None:
    """0.1 + 0.2 != 0.3 in floating point, yet these sums are equal and must count as ties."""
    assert sign_flip_test(np.array([0.1, 0.2, -0.3])).p == 1.0
    assert (
        sign_flip_test(np.array([0.1, 0.2, 0.3, -0.3])).p
        == sign_flip_test(np.array([1.0, 2, 3, -3])).p
    )


def test_above_the_exact_limit_random_flips_agree_with_t_and_repeat() -> None:
    """Marked as not exact, never 0, and the same in each report."""
    d = np.random.default_rng(0).normal(0.3, 1, SIGN_FLIP_EXACT_N + 4)
    found = sign_flip_test(d, rng_seed=1)
    assert not found.is_exact
    assert found == sign_flip_test(d, rng_seed=1)
    assert found.p == pytest.approx(scipy_stats.ttest_1samp(d, 0).pvalue, abs=0.01)
    assert sign_flip_test(np.ones(50)).p == found.floor > 0
    assert sign_flip_test(np.random.default_rng(0).normal(0.3, 1, SIGN_FLIP_EXACT_N)).is_exact


@pytest.mark.parametrize(("n", "m"), [(2, 2), (2, 3), (4, 4), (5, 7)])
def test_splits_equal_scipy(n: int, m: int) -> None:
    """The unpaired permutation test; scipy lists the same splits."""
    rng = np.random.default_rng(n)
    a, b = rng.normal(0.5, 1, n), rng.normal(0, 1, m)
    expected = scipy_stats.permutation_test(
        (a, b), lambda x, y: abs(np.mean(x) - np.mean(y)), alternative="greater", n_resamples=np.inf
    )
    found = split_test(a, b)
    assert found.is_exact
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (4, 4), (2, 5), (5, 5)])
def test_the_floor_of_splits_is_reached_by_separate_samples(n: int, m: int) -> None:
    """3 + 3 seeds can never reach .05, 4 + 4 can."""
    found = split_test(np.linspace(10, 11, n), np.linspace(0, 1, m))
    assert found.p == found.floor == (2 if n == m else 1) / math.comb(n + m, n)


def test_many_seeds_are_split_at_random() -> None:
    """10 + 10 seeds have 184,756 splits; 20,000 random ones tell the same to .01."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(0.7, 1, 10), rng.normal(0, 1, 10)
    found = split_test(a, b)
    assert not found.is_exact
    assert found == split_test(a, b)
    assert found.p == pytest.approx(scipy_stats.ttest_ind(a, b).pvalue, abs=0.01)
    assert split_test(np.ones(3), np.ones(3)).p == 1.0


def test_fisher_agrees_with_scipy_on_small_tables() -> None:
    for n_a, n_b in ((8, 8), (5, 3), (1, 6)):
        for a in range(n_a + 1):
            for b in range(n_b + 1):
                expected = scipy_stats.fisher_exact([[a, n_a - a], [b, n_b - b]])[1]
                assert fisher_p(a, n_a, b, n_b) == pytest.approx(expected, abs=1e-12)


def test_no_runs_say_nothing_and_an_impossible_count_is_refused() -> None:
    assert fisher_p(0, 0, 0, 3) == 1.0
    with pytest.raises(ValueError, match="one of 0 to 3 runs, but is 4"):
        fisher_p(1, 2, 4, 3)
