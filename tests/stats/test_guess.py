"""Is a run better than a guess?"""

from math import comb

import numpy as np
import pytest
from scipy import stats

from mnist_seq.stats import guess_p, squared_error_p


def test_the_tail_is_the_binomial_sum() -> None:
    """7 or more of 10 at 0.3, added up by hand."""
    want = sum(comb(10, k) * 0.3**k * 0.7 ** (10 - k) for k in range(7, 11))
    assert guess_p(0.7, 10, guess=0.3) == pytest.approx(want, rel=1e-12)
    assert guess_p(0.7, 10, guess=0.3, num_evaluations=4) == pytest.approx(4 * want, rel=1e-12)


def test_a_guess_is_recognised_and_a_little_learning_is_not() -> None:
    """Of 5,000 images 11.35 % are ones: a net that always says one has that accuracy, not 15 %."""
    assert guess_p(0.1135, 5000, guess=0.1135, num_evaluations=20) == 1
    assert guess_p(0.15, 5000, guess=0.1135, num_evaluations=20) < 1e-9
    assert guess_p(0.15, 40, guess=0.1135) > 0.1, "of 40 images, a guess gets 15 % often"


def test_all_wrong_and_all_right_are_no_special_cases() -> None:
    assert guess_p(0.0, 10, guess=0.1) == 1
    assert guess_p(1.0, 3, guess=0.1) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("accuracy", "n", "guess", "evaluations"),
    [(97.0, 10, 0.1, 1), (0.9, 0, 0.1, 1), (0.9, 10, 0.0, 1), (0.9, 10, 0.1, 0)],
)
def test_impossible_values_are_refused(
    accuracy: float, n: int, guess: float, evaluations: int
) -> None:
    with pytest.raises(ValueError, match=r"accuracy|guess"):
        guess_p(accuracy, n, guess=guess, num_evaluations=evaluations)


def test_squared_errors_are_tested_as_scipy_does() -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(60, 2))
    predictions = targets + rng.normal(0, 0.95, targets.shape)
    of_guess = ((targets - targets.mean(axis=0)) ** 2).mean(axis=1)
    errors = ((targets - predictions) ** 2).mean(axis=1)
    want = stats.ttest_rel(of_guess, errors, alternative="greater").pvalue
    assert squared_error_p(targets, predictions) == pytest.approx(want)


def test_a_guess_is_found_to_be_one_and_a_perfect_answer_is_not() -> None:
    targets = np.random.default_rng(0).normal(size=(50, 1))
    guess = np.full_like(targets, targets.mean())
    assert squared_error_p(targets, guess) == 1
    assert squared_error_p(targets, guess + 0.5) > 0.9
    assert squared_error_p(targets, targets) < 1e-4
    with pytest.raises(ValueError, match="n >= 2"):
        squared_error_p(targets[:1], guess[:1])


def test_values_of_one_sequence_count_once() -> None:
    """A hundred steps of one lucky sequence are one piece of evidence, not a hundred."""
    rng = np.random.default_rng(3)
    targets = np.repeat(rng.normal(size=(6, 1)), 50, axis=1)
    predictions = targets + np.repeat(rng.normal(0, 1.2, (6, 1)), 50, axis=1)
    once = squared_error_p(targets[:, :1], predictions[:, :1])
    assert squared_error_p(targets, predictions) == pytest.approx(once)
    counts = np.ones(targets.shape, np.bool_)
    assert squared_error_p(targets, predictions, counts) == pytest.approx(once)
    counts[:, 25:] = False
    predictions[:, 25:] = 1e6
    assert squared_error_p(targets, predictions, counts) == pytest.approx(once)
