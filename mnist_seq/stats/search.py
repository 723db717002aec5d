"""What a random search of a given size would have found."""

from typing import Literal

import numpy as np
from jaxtyping import Float


def expected_best(
    values: Float[np.ndarray, " N"], *, estimator: Literal["biased", "unbiased"] = "biased"
) -> Float[np.ndarray, " N"]:
    """Expected best value of n trials, for n = 1 to N, larger being better.

    Holds for trials drawn independently from one distribution: random search, not TPE or ASHA.

    Args:
        values: on validation, one a trial; a trial that diverged needs a value (chance level,
            say), since leaving it out would make the search look better than it was.
        estimator: "biased" draws n of the N trials with replacement, "unbiased" without. The biased
            one is too low, and varies less; at n = N the unbiased one is the best trial.

    Raises:
        ValueError: no values, or one that is not finite.

    Source: Dodge et al. 2019, arXiv:1909.03004 (biased); Tang et al. 2020, arXiv:2004.13705
    (unbiased); compared by Dodge et al. 2021, arXiv:2110.00613.
    """
    _check(values)
    num_trials = len(values)
    ascending = np.sort(values)
    if estimator == "biased":
        return np.asarray(_weights(num_trials) @ ascending)
    rank = np.arange(1, num_trials + 1)
    # C(i - 1, n - 1) / C(N, n), by going down from i = N: the best is among the n with chance n / N
    best = np.zeros(num_trials)
    chance_of_better_missed = np.ones(num_trials)
    for i in range(num_trials, 0, -1):
        # given that no better one is among the n, this one is with chance n / i
        chance = np.minimum(rank / i, 1.0)
        best += chance_of_better_missed * chance * ascending[i - 1]
        chance_of_better_missed = chance_of_better_missed * (1 - chance)
    return best


def best_sd(values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Standard deviation of the best of n trials, for n = 1 to N: how much luck a search has.

    Of the draws that the biased `expected_best` is the mean of. It is no error of that mean, which
    is uncertain too, and most where n comes near N.

    Raises:
        ValueError: as `expected_best`.

    Source: Dodge et al. 2019, arXiv:1909.03004, section 3.2.
    """
    _check(values)
    weights = _weights(len(values))
    ascending = np.sort(values) - values.mean()  # near 0, where squares lose no digits
    variance = weights @ ascending**2 - (weights @ ascending) ** 2
    return np.asarray(np.sqrt(np.maximum(variance, 0)))


def _weights(num_trials: int) -> Float[np.ndarray, "N N"]:
    """Chance that the i-th smallest of N trials is the best of n draws; one row for each n."""
    rank = np.arange(1, num_trials + 1)
    n = rank[:, None]
    return np.asarray((rank / num_trials) ** n - ((rank - 1) / num_trials) ** n)


def _check(values: Float[np.ndarray, " N"]) -> None:
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(
            f"expected best values need finite values of one trial or more: {values}; give a trial "
            "that diverged the value of a guess"
        )
