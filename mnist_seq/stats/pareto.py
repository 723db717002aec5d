"""Which variants are worth their cost."""

import numpy as np
from jaxtyping import Bool, Float


def pareto_front(
    cost: Float[np.ndarray, " M"], value: Float[np.ndarray, " M"]
) -> Bool[np.ndarray, " M"]:
    """Mask of the variants that no other beats: lower cost is better, higher value is better.

    A variant is off the front if another costs no more, is worth no less, and is better in one of
    the two. Equal variants stay on it together. Means alone decide: it knows nothing of intervals.

    Raises:
        ValueError: unequal lengths or a NaN.
    """
    if cost.shape != value.shape or np.isnan(cost).any() or np.isnan(value).any():
        raise ValueError(
            f"each variant has one cost and one value, none NaN, but shapes are {cost.shape} and "
            f"{value.shape}; leave out variants without a finished run"
        )
    no_worse = (cost[:, None] <= cost) & (value[:, None] >= value)
    better = (cost[:, None] < cost) | (value[:, None] > value)
    return np.asarray(~(no_worse & better).any(axis=0))
