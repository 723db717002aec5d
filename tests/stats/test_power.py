"""Power: the table of reference/papers.md 3.4, statsmodels, and simulation."""

import numpy as np
import pytest
from statsmodels.stats.power import TTestIndPower, TTestPower

from mnist_seq.stats import (
    MOST_SEEDS,
    detectable_difference,
    paired_comparison,
    seeds_needed,
    t_test_power,
)

SEEDS = (3, 5, 6, 8, 10, 16, 20, 30)
TABLE = {  # papers.md 3.4, in sds
    (True, 0.05): (3.26, 1.68, 1.43, 1.16, 1.00, 0.75, 0.66, 0.53),
    (False, 0.05): (3.07, 2.02, 1.80, 1.51, 1.32, 1.02, 0.91, 0.74),
    (True, 0.05 / 8): (9.26, 2.98, 2.34, 1.74, 1.43, 1.02, 0.89, 0.70),
}


@pytest.mark.parametrize(("paired", "alpha"), TABLE)
def test_detectable_differences_match_the_papers_table(paired: bool, alpha: float) -> None:
    """The table that tells a reader how many seeds to plan."""
    found = [detectable_difference(n, 1.0, alpha=alpha, paired=paired) for n in SEEDS]
    assert found == pytest.approx(TABLE[paired, alpha], abs=0.0051)


@pytest.mark.parametrize("n", [3, 10, 40])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_detectable_differences_equal_statsmodels(n: int, power: float) -> None:
    """scipy's noncentral t is used for speed; statsmodels is the reference."""
    one = TTestPower().solve_power(nobs=n, alpha=0.05, power=power)
    assert detectable_difference(n, 2.0, power=power) == pytest.approx(2 * one, rel=1e-5)
    two = TTestIndPower().solve_power(nobs1=n, alpha=0.05, power=power)
    found = detectable_difference(n, 2.0, power=power, paired=False)
    assert found == pytest.approx(2 * two, rel=1e-5)


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_detectable_difference_is_detected_in_80_percent() -> None:
    """The promise itself, kept by the test that is used."""
    n = 8
    size = detectable_difference(n, 0.1)
    d = np.random.default_rng(0).normal(size, 0.1, size=(4000, n))
    found = [paired_comparison(x, np.zeros(n)).p_t < 0.05 for x in d]
    assert np.mean(found) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("difference", [-2.0, 0.3, 0.15])
def test_seeds_needed_is_the_smallest_number_that_suffices(difference: float, paired: bool) -> None:
    """One fewer must not do; the sign must not matter."""
    n = seeds_needed(difference, 1.0, paired=paired)
    assert n is not None
    assert detectable_difference(n, 1.0, paired=paired) <= abs(difference)
    if n > 2:
        assert detectable_difference(n - 1, 1.0, paired=paired) > abs(difference)


def test_seeds_needed_says_when_it_is_hopeless() -> None:
    """More than 1,000 runs for one cell of a table is not advice."""
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(0.0, 0.0) is None
    assert seeds_needed(0.01, 1.0) is None
    edge = detectable_difference(MOST_SEEDS, 1.0)
    assert seeds_needed(edge * 1.000001, 1.0) == MOST_SEEDS
    assert seeds_needed(1.0, 0.0) == 2


def test_power_at_no_effect_is_alpha() -> None:
    """Both tails are counted."""
    assert t_test_power(0.0, 7.0, 0.05) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"n": 1, "sd": 1.0}, "n >= 2, but n=1"),
        ({"n": 5, "sd": float("nan")}, "sd must be finite"),
        ({"n": 5, "sd": -1.0}, "sd must be finite"),
        ({"n": 5, "sd": 1.0, "alpha": 1.5}, "alpha lies between"),
        ({"n": 5, "sd": 1.0, "power": 0.04}, "power must exceed alpha=0.05"),
    ],
)
def test_impossible_plans_are_refused(kwargs: dict[str, float], match: str) -> None:
    """Each with its own rule."""
    with pytest.raises(ValueError, match=match):
        detectable_difference(**kwargs)
    with pytest.raises(ValueError, match="difference must be finite"):
        seeds_needed(float("nan"), 1.0)


@pytest.mark.parametrize("df", [1.0, 1.3, 2.75, 4.0, 9.0, 50.0, 999.0])
@pytest.mark.parametrize("alpha", [0.1, 0.05, 0.001])
def test_power_grows_from_alpha_to_1_without_a_hole(df: float, alpha: float) -> None:
    """scipy's noncentral t gives NaN here and there; a hole would break the search for n."""
    powers = [t_test_power(float(nc), df, alpha) for nc in np.linspace(0, 60, 241)]
    assert powers[0] == pytest.approx(alpha)
    assert np.diff(powers).min() > -1e-9
    assert max(powers) <= 1
