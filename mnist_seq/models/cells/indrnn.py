"""Independently recurrent network: each unit is connected over time to itself only.

Source: Li et al. 2018, arXiv:1803.04831, one layer.
Differs: recurrent weights start in U[0, 1] and are not clamped later; no batch norm between layers.
"""

import torch
from torch import Tensor, nn

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.recurrence import Recurrence


class IndRNN(Cell):
    """h = relu(W x + u * h' + b), where ' marks the time step before."""

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden, blocks_x=1, blocks_h=0)
        self.u = nn.Parameter(torch.empty(hidden))

    def initialise(self, time_steps: int) -> None:
        """See `Cell`; u is drawn from U[0, 1]."""
        super().initialise(time_steps)
        nn.init.uniform_(self.u)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h."""
        (h,) = state
        return (torch.relu(x + self.u * h),)


def build(shape: Shape, model: Model) -> Layers:
    """The recurrence of `IndRNN`."""
    return Recurrence(IndRNN, shape, model)
