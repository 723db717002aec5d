"""Expected best value of a random search."""

import itertools
import math

import numpy as np
import pytest

from mnist_seq.stats.search import best_sd, expected_best

VALUES = np.array([0.97, 0.985, 0.91, 0.985, 0.96])


@pytest.mark.parametrize("num_trials", [1, 2, 3])
def test_it_is_the_mean_over_all_draws_with_replacement(num_trials: int) -> None:
    """By enumeration of all of them, ties included."""
    draws = itertools.product(VALUES, repeat=num_trials)
    expected = np.mean([max(draw) for draw in draws])
    assert expected_best(VALUES)[num_trials - 1] == pytest.approx(expected, abs=1e-12)


def test_one_trial_gives_the_mean_and_more_give_more() -> None:
    curve = expected_best(VALUES)
    assert curve[0] == pytest.approx(VALUES.mean())
    assert (np.diff(curve) > 0).all()


def test_it_never_promises_more_than_more_draws_would_give() -> None:
    """The best of n uniform values is n / (n + 1): it comes near from below."""
    rng = np.random.default_rng(0)
    curve = np.mean([expected_best(rng.random(10)) for _ in range(4000)], axis=0)
    truth = np.arange(1, 11) / np.arange(2, 12)
    assert curve[0] == pytest.approx(truth[0], abs=0.01)
    assert (curve[4:] < truth[4:] - 0.02).all()
    assert (curve > truth - 0.08).all()


def test_two_hundred_trials_lose_no_precision() -> None:
    """Weights must still sum to one."""
    assert expected_best(np.ones(200)) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("values", [[], [0.9, math.nan], [0.9, math.inf]])
def test_a_trial_without_a_value_is_refused(values: list[float]) -> None:
    """Dropping failed trials would flatter the search."""
    with pytest.raises(ValueError, match="diverged"):
        expected_best(np.array(values))


@pytest.mark.parametrize("num_trials", [1, 2, 3])
def test_the_spread_of_the_best_is_that_over_all_draws(num_trials: int) -> None:
    """By enumeration again: the sd of what a search of that many trials ends with."""
    bests = [max(draw) for draw in itertools.product(VALUES, repeat=num_trials)]
    assert best_sd(VALUES)[num_trials - 1] == pytest.approx(np.std(bests), abs=1e-12)


def test_equal_trials_have_no_spread() -> None:
    assert best_sd(np.full(50, 0.1)) == pytest.approx(np.zeros(50), abs=1e-12)
