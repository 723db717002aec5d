"""What a random search of a given size would have found."""

import numpy as np
from jaxtyping import Float


def expected_best(values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Expected best value of n trials, for n = 1 to N, larger being better.

    The mean over draws of n of the N trials with replacement: too low (biased), but it varies less
    than the mean over draws without (Dodge et al. 2021, arXiv:2110.00613).

    Holds for trials drawn independently from one distribution: random search, not TPE or ASHA.

    Args:
        values: on validation, one a trial; a trial that diverged needs a value (chance level,
            say), since leaving it out would make the search look better than it was.

    Raises:
        ValueError: no values, or one that is not finite.

    Source: Dodge et al. 2019, arXiv:1909.03004.
    """
    _check(values)
    return np.asarray(_weights(len(values)) @ np.sort(values))


def best_sd(values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Standard deviation of the best of n trials, for n = 1 to N: how much luck a search has.

    Of the draws that `expected_best` is the mean of. It is no error of that mean, which
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
