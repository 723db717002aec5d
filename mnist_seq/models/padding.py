"""Nets of different width in one stack: the narrow ones get units whose weights are all zero.

Such a unit gives 0 at every time step, passes no gradient on and gets none, so training leaves it
at exactly 0, weight decay included, and the other units with the numbers they have alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mnist_seq.config.schema import LSTM, Model


def stays_zero(model: Model) -> bool:
    """Whether a unit without weights gives 0; not where all units are normalised together, and not
    where a gate, which is then one half, enters other gates."""
    if isinstance(model, LSTM):
        return not (model.layer_norm or model.full_gate_recurrence)
    return model.name in ("gru", "rnn", "irnn")


def resized(tensor: Tensor, shape: Sequence[int], *, hidden: int, to: int) -> Tensor:
    """A weight, a state or a noise of a net with other hidden units: cut, or filled up with zeros.

    Args:
        shape: of the same tensor in the net with `to` hidden units. Where a size differs, the axis
            holds blocks of hidden units, one after the other.
    """
    for dim, size in enumerate(shape):
        if tensor.shape[dim] == size:
            continue
        blocks = torch.unflatten(tensor, dim, (-1, hidden)).narrow(dim + 1, 0, min(hidden, to))
        missing = list(blocks.shape)
        missing[dim + 1] = max(0, to - hidden)
        blocks = torch.cat((blocks, blocks.new_zeros(missing)), dim=dim + 1)
        tensor = blocks.flatten(dim, dim + 1)
    return tensor
