"""Draws signals as pictures for people to look at."""

import numpy as np
from jaxtyping import Float32, UInt8

_SIDE = 28
_REACH = 4.0  # largest value of a signal in a picture; three in 10,000 values are larger


def drawn(signals: Float32[np.ndarray, "N V"]) -> UInt8[np.ndarray, "N 28 28"]:
    """Draw signals as white lines on black: time downwards, values to the right, as in the paper.

    MNIST-1D's signals then look like the digits from which they were made.
    """
    num_points = 20 * _SIDE  # more than one point in each pixel that the line crosses
    steps = np.arange(signals.shape[1])
    times = np.linspace(0, len(steps) - 1, num_points)
    lines = np.stack([np.interp(times, steps, signal) for signal in signals])
    columns = np.clip((lines / _REACH + 1) / 2 * _SIDE, 0, _SIDE - 1).astype(np.int64)
    rows = np.arange(num_points) * _SIDE // num_points
    pictures = np.zeros((len(signals), _SIDE, _SIDE), dtype=np.uint8)
    pictures[np.arange(len(signals))[:, None], rows, columns] = 255
    return pictures
