"""How an image is read as a sequence, and the constants that normalise its pixels."""

import functools
import hashlib

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from mnist_seq.data.permutation import PERMUTATION

SEQUENCES = ("rows", "columns", "pixels", "permuted")

# Mean and standard deviation of the train pixels as fractions of 255. mnist and fashion_mnist are
# recomputed in tests/data/test_published_data.py; kmnist's are those in common use. mnist_5k takes
# MNIST's: its images are MNIST's, and so both see the same input.
MEAN_STD = {
    "mnist": (0.1307, 0.3081),
    "fashion_mnist": (0.2860, 0.3530),
    "kmnist": (0.1918, 0.3483),
    "mnist_5k": (0.1307, 0.3081),
}


def sequence_shape(sequence: str) -> tuple[int, int]:
    """(T, D): the number of time steps, and of pixels that each one shows."""
    _require_known(sequence)
    return (28, 28) if sequence in ("rows", "columns") else (784, 1)


def as_sequence(images: UInt8[Tensor, "N 28 28"], sequence: str) -> UInt8[Tensor, "N T D"]:
    """The pictures as contiguous sequences.

    Step t shows row t, column t, pixel t (row by row), or pixel `PERMUTATION[t]`. Rows and pixels
    are views of `images`, not copies.

    Raises:
        ValueError: `sequence` is not one of `SEQUENCES`.
    """
    num_steps, width = sequence_shape(sequence)
    if sequence == "columns":
        images = images.transpose(1, 2)
    elif sequence == "permuted":
        order = torch.tensor(PERMUTATION, device=images.device)
        images = images.reshape(-1, 784).index_select(1, order)
    return images.contiguous().view(-1, num_steps, width)


@functools.cache
def permutation_hash() -> str:
    """sha256 of the permutation as little-endian int64."""
    return hashlib.sha256(np.array(PERMUTATION, dtype="<i8").tobytes()).hexdigest()


def _require_known(sequence: str) -> None:
    if sequence not in SEQUENCES:
        raise ValueError(
            f"data.sequence must be one of {', '.join(SEQUENCES)}: data.sequence={sequence}; "
            "choose one of them"
        )
