"""The Pareto front of cost and value."""

import numpy as np
import pytest

from mnist_seq.stats import pareto_front


def test_the_front_holds_what_nothing_beats() -> None:
    """Cheaper and as good, or better at the same cost, pushes a variant off."""
    cost = np.array([1.0, 2.0, 2.0, 3.0, 4.0])
    value = np.array([0.90, 0.95, 0.94, 0.95, 0.99])
    assert pareto_front(cost, value).tolist() == [True, True, False, False, True]


def test_equal_variants_stay_together() -> None:
    """Dropping one of two equals would be an arbitrary choice."""
    assert pareto_front(np.array([1.0, 1.0]), np.array([0.9, 0.9])).tolist() == [True, True]


def test_the_front_equals_brute_force() -> None:
    """Random points, each checked by the definition."""
    rng = np.random.default_rng(0)
    cost, value = np.round(rng.random((2, 60)), 1)
    points = list(zip(cost, value, strict=True))
    expected = [
        not any(c <= x and v >= y and (c, v) != (x, y) for c, v in points) for x, y in points
    ]
    assert pareto_front(cost, value).tolist() == expected


def test_a_nan_is_refused() -> None:
    """Nothing beats a NaN, so it would always be on the front."""
    with pytest.raises(ValueError, match="none NaN"):
        pareto_front(np.array([1.0, np.nan]), np.array([0.9, 0.9]))
