"""Time to a threshold: runs that never reach it are counted, not averaged away."""

import math

import numpy as np
import pytest

from mnist_seq.stats import time_to_threshold

STEPS = np.array([100.0, 200.0, 300.0])


def _runs(*values: list[float]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [STEPS[: len(v)] for v in values], [np.array(v) for v in values]


def test_the_first_evaluation_at_the_threshold_counts() -> None:
    """A later dip does not take it back, and reaching it exactly is reaching it."""
    found = time_to_threshold(*_runs([0.9, 0.97, 0.96], [0.98, 0.9, 0.99]), 0.97)
    assert found.times == (200.0, 100.0)
    assert found.median_reached == found.median_all == 150.0
    assert found.text == "2 of 2 reached"


def test_censored_runs_are_counted_and_never_averaged() -> None:
    """The median of those that made it would otherwise praise a variant that fails."""
    runs = _runs([0.9, 0.98, 0.9], [0.1, 0.2, 0.3], [0.98, 0.9, 0.9], [0.5], [0.2, 0.2, 0.98])
    found = time_to_threshold(*runs, 0.97)
    assert found.text == "3 of 5 reached"
    assert math.isnan(found.times[1])
    assert (found.median_reached, found.median_all) == (200.0, 300.0)


def test_half_censored_has_an_infinite_median() -> None:
    """Half of the runs never get there: no finite time is typical."""
    found = time_to_threshold(*_runs([0.98, 0.98, 0.98], [0.1, 0.1, 0.1]), 0.97)
    assert (found.median_reached, found.median_all) == (100.0, math.inf)
    nobody = time_to_threshold(*_runs([0.1], [0.2]), 0.97)
    assert math.isnan(nobody.median_reached)
    assert (nobody.median_all, nobody.text) == (math.inf, "0 of 2 reached")


def test_a_diverged_or_empty_run_is_censored() -> None:
    """NaN is never at a threshold; a run that failed before its first evaluation has no times."""
    found = time_to_threshold(*_runs([0.5, math.nan, math.nan], []), 0.9)
    assert found.text == "0 of 2 reached"


def test_a_loss_must_fall_to_the_threshold() -> None:
    """higher_is_better turns the comparison."""
    found = time_to_threshold(*_runs([2.0, 0.5, 0.1]), 0.5, higher_is_better=False)
    assert found.times == (200.0,)


def test_times_that_fall_or_do_not_fit_are_refused() -> None:
    """Lines of a resumed run in the wrong order would give the wrong first time."""
    with pytest.raises(ValueError, match="run 0 has 2 times for 2 values or goes back"):
        time_to_threshold([np.array([2.0, 1.0])], [np.array([0.1, 0.2])], 0.5)
    with pytest.raises(ValueError, match="run 0 has 2 times for 1"):
        time_to_threshold([np.array([1.0, 2.0])], [np.array([0.1])], 0.5)
    with pytest.raises(ValueError, match="0 and 0 runs"):
        time_to_threshold([], [], 0.5)
