"""Corrects p values for the number of comparisons: Holm and Benjamini-Hochberg."""

from typing import Literal

import numpy as np
from jaxtyping import Float

Correction = Literal["holm", "bh", "none"]


def adjust(p: Float[np.ndarray, " M"], method: Correction = "holm") -> Float[np.ndarray, " M"]:
    """p values adjusted for a family of M comparisons, in the order given.

    Args:
        p: unadjusted p of every comparison of the family. Which comparisons belong to the family is
            decided before anybody sees the results.
        method: "holm" bounds the probability of any false finding (for claims); "bh" bounds the
            expected share of false findings (for exploring); "none" changes nothing.

    Raises:
        ValueError: a NaN or a value outside 0..1 (a comparison that cannot be made does not belong
            to the family), or an unknown method.

    Source: Holm 1979; Benjamini & Hochberg 1995.
    """
    if not ((p >= 0) & (p <= 1)).all():  # a NaN compares false, so it is caught here
        raise ValueError(
            f"p values lie in 0..1, but these are {p.tolist()}; leave a comparison that could not "
            "be made out of the family"
        )
    m = len(p)
    order = np.argsort(p)
    if method == "holm":
        steps = np.maximum.accumulate(p[order] * np.arange(m, 0, -1))
    elif method == "bh":
        steps = np.minimum.accumulate((p[order] * m / np.arange(1, m + 1))[::-1])[::-1]
    elif method == "none":
        steps = p[order]
    else:
        raise ValueError(f"a correction is holm, bh or none, but is {method!r}; choose one")
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
