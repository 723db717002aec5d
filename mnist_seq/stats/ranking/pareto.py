"""Finds the variants that are worth their cost (Pareto front)."""

import numpy as np
from jaxtyping import Bool, Float


def pareto_front(
    cost: Float[np.ndarray, " M"], value: Float[np.ndarray, " M"]
) -> Bool[np.ndarray, " M"]:
    """Mask of the variants that no other variant beats in cost and value.

    Lower cost and higher value are better. A variant is not on the front if another one costs no
    more, has no lower value, and is better in one of the two. Equal variants are on it together.
    The front uses means only, without their intervals.

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
