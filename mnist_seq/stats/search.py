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
    num_trials = len(values)
    if not num_trials or not np.isfinite(values).all():
        raise ValueError(
            f"expected best values need finite values of one trial or more: {values}; give a trial "
            "that diverged the value of a guess"
        )
    ascending = np.sort(values)
    rank = np.arange(1, num_trials + 1)
    n = rank[:, None]  # one row for each number of trials
    if estimator == "biased":
        weights = (rank / num_trials) ** n - ((rank - 1) / num_trials) ** n
        return np.asarray(weights @ ascending)
    # C(i - 1, n - 1) / C(N, n), by going down from i = N: the best is among the n with chance n / N
    best = np.zeros(num_trials)
    chance_of_better_missed = np.ones(num_trials)
    for i in range(num_trials, 0, -1):
        # given that no better one is among the n, this one is with chance n / i
        chance = np.minimum(rank / i, 1.0)
        best += chance_of_better_missed * chance * ascending[i - 1]
        chance_of_better_missed = chance_of_better_missed * (1 - chance)
    return best
