"""Noise behind pictures: a network must keep what it saw for as long as the noise lasts.

Source: the noise-padded CIFAR-10 of Chang et al. 2019, arXiv:1902.09689, section 5.3. Each example
has noise of its own, which is a part of the data set: the same in each epoch and in all runs.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

_SETS = ("train", "test")


def noise(
    of: Literal["train", "test"], rows: Sequence[int], num_steps: int, width: int
) -> np.ndarray:
    """Standard normal noise for some examples, float32 [B, num_steps, width].

    Args:
        of: the set, whose validation part is a part of train.
        rows: positions of the examples in the set.
    """
    found = np.empty((len(rows), num_steps, width), dtype=np.float32)
    for i, row in enumerate(rows):  # NumPy has frozen these numbers for all versions
        draw = np.random.RandomState([_SETS.index(of), row])
        found[i] = draw.standard_normal((num_steps, width))
    return found
