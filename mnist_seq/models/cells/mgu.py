"""Minimal gated unit: one gate is both forget gate and reset gate.

Source: Zhou et al. 2016, arXiv:1603.09420.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.recurrence import Recurrence


class MGU(Cell):
    """f = sigmoid(W x + U h' + b), h = (1 - f) * h' + f * tanh(W x + U (f * h') + b).

    Each has weights of its own; ' marks the time step before.
    """

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden, blocks_x=2, blocks_h=2)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h."""
        (h,) = state
        x_f, x_n = x.chunk(2, dim=-1)
        w_f, w_n = self.weight_hh.chunk(2)
        f = torch.sigmoid(x_f + F.linear(h, w_f))
        return (torch.lerp(h, torch.tanh(x_n + F.linear(f * h, w_n)), f),)


def build(shape: Shape, model: Model) -> Layers:
    """The recurrence of `MGU`."""
    return Recurrence(MGU, shape, model)
