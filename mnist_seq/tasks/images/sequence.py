"""Reads pictures or signals as sequences: rows, columns, pixels, permuted pixels."""

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from mnist_seq.tasks.images.permutation import PERMUTATION_SEED, Permutation, order

SEQUENCES = ("rows", "columns", "pixels", "permuted")

Examples = UInt8[Tensor, "N 28 28"] | Float32[Tensor, "N 28 28"] | Float32[Tensor, "N V"]
Sequences = UInt8[Tensor, "N T D"] | Float32[Tensor, "N T D"]


def as_sequence(
    examples: Examples,
    sequence: str,
    *,
    chunk: int = 1,
    permutation: Permutation = PERMUTATION_SEED,
) -> Sequences:
    """Turn pictures or signals into contiguous sequences; rows and pixels are views, not copies.

    Args:
        sequence: time step t has row t or column t of a picture, or the values t * chunk to
            (t + 1) * chunk - 1, where pixels are read row by row or in the order of `permutation`.

    Raises:
        ValueError: `sequence` is not one of `SEQUENCES`, or impossible for these examples.
    """
    _check(examples, sequence, chunk)
    if sequence == "rows":
        return examples.contiguous()
    if sequence == "columns":
        return examples.transpose(1, 2).contiguous()
    values = examples.reshape(len(examples), -1)
    if sequence == "permuted":
        wanted = torch.from_numpy(order(permutation, values.shape[1])).to(values.device)
        values = values.index_select(1, wanted)
    return values.contiguous().view(len(values), -1, chunk)


def _check(examples: Examples, sequence: str, chunk: int) -> None:
    if sequence not in SEQUENCES:
        raise ValueError(
            f"data.sequence must be one of {', '.join(SEQUENCES)}: data.sequence={sequence}; "
            "choose one of them"
        )
    is_grid = sequence in ("rows", "columns")
    if is_grid and (examples.ndim == 2 or chunk != 1):
        raise ValueError(
            f"data.sequence={sequence} reads pictures, a row or column a time step: examples of "
            f"{tuple(examples.shape[1:])}, data.chunk={chunk}; choose pixels or permuted"
        )
    if examples[:1].numel() % chunk:
        raise ValueError(f"data.chunk must divide the {examples[:1].numel()} values of an example: "
                         f"data.chunk={chunk}; choose a divisor")  # fmt: skip
