"""MUT3, one of the three best units of a search over ten thousand architectures.

Source: Jozefowicz et al. 2015, ICML, MUT3.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.recurrence import Recurrence


class MUT3(Cell):
    """As MUT2, but z takes tanh(h') instead of h'."""

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden, blocks_x=3, blocks_h=3)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h."""
        (h,) = state
        x_z, x_r, x_n = x.chunk(3, dim=-1)
        w_z, w_r, w_n = self.weight_hh.chunk(3)
        z = torch.sigmoid(x_z + F.linear(torch.tanh(h), w_z))
        r = torch.sigmoid(x_r + F.linear(h, w_r))
        return (torch.lerp(h, torch.tanh(F.linear(r * h, w_n) + x_n), z),)


def build(shape: Shape, model: Model) -> Layers:
    """The recurrence of `MUT3`."""
    return Recurrence(MUT3, shape, model)
