"""minGRU: a GRU whose gate and candidate depend on x only.

Source: Feng et al. 2024, arXiv:2410.01201, section 3.1.
Differs: runs step by step, not as a parallel scan; the candidate is linear, the paper's first form.
"""

import torch
from torch import Tensor

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.recurrence import Recurrence


class MinGRU(Cell):
    """z = sigmoid(W x + b), h = (1 - z) * h' + z * (W x + b); each with weights of its own."""

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden, blocks_x=2, blocks_h=0)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h."""
        (h,) = state
        x_z, n = x.chunk(2, dim=-1)
        return (torch.lerp(h, n, torch.sigmoid(x_z)),)


def build(shape: Shape, model: Model) -> Layers:
    """The recurrence of `MinGRU`."""
    return Recurrence(MinGRU, shape, model)
