"""Computes what a random search of n trials is expected to find."""

import numpy as np
from jaxtyping import Float


def expected_best(values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Expected best value of n trials, for n = 1 to N; larger values are better.

    It is the mean over all draws of n of the N trials with replacement. This estimate is too low
    (biased), but it has less variance than draws without replacement (Dodge et al. 2021,
    arXiv:2110.00613). It holds for trials drawn independently from one distribution: for random
    search, not for TPE or ASHA.

    Args:
        values: one validation value a trial. Give a trial that diverged the value of a guess:
            without it the search would look better than it was.

    Returns:
        N expected values; element n - 1 is that of n trials.

    Raises:
        ValueError: no values, or one that is not finite.

    Source: Dodge et al. 2019, arXiv:1909.03004.
    """
    _check(values)
    return np.asarray(_weights(len(values)) @ np.sort(values))


def best_sd(values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Standard deviation of the best value of n trials, for n = 1 to N.

    It is taken over the draws whose mean is `expected_best`, and says how much a search of n trials
    depends on luck. It is not the standard error of `expected_best`, which is itself most uncertain
    where n is near N.

    Raises:
        ValueError: as `expected_best`.

    Source: Dodge et al. 2019, arXiv:1909.03004, section 3.2.
    """
    _check(values)
    weights = _weights(len(values))
    ascending = np.sort(values) - values.mean()  # centred, so that squares lose no digits
    variance = weights @ ascending**2 - (weights @ ascending) ** 2
    return np.asarray(np.sqrt(np.maximum(variance, 0)))


def _weights(num_trials: int) -> Float[np.ndarray, "N N"]:
    """Probability that the i-th smallest of N trials is the best of n draws; one row for each n."""
    rank = np.arange(1, num_trials + 1)
    n = rank[:, None]
    return np.asarray((rank / num_trials) ** n - ((rank - 1) / num_trials) ** n)


def _check(values: Float[np.ndarray, " N"]) -> None:
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(
            f"expected best values need finite values of one trial or more: {values}; give a trial "
            "that diverged the value of a guess"
        )
