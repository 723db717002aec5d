"""MUT1, one of the three best units of a search over ten thousand architectures.

Source: Jozefowicz et al. 2015, ICML, MUT1.
Differs: the candidate takes a projection of x; the paper takes x, which is then as wide as h.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.recurrence import Recurrence


class MUT1(Cell):
    """z depends on x only; the candidate adds tanh of the projected x."""

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden, blocks_x=3, blocks_h=2)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h."""
        (h,) = state
        x_z, x_r, x_n = x.chunk(3, dim=-1)
        w_r, w_n = self.weight_hh.chunk(2)
        z = torch.sigmoid(x_z)
        r = torch.sigmoid(x_r + F.linear(h, w_r))
        n = torch.tanh(F.linear(r * h, w_n) + torch.tanh(x_n))
        return (torch.lerp(h, n, z),)


def build(shape: Shape, model: Model) -> Layers:
    """The recurrence of `MUT1`."""
    return Recurrence(MUT1, shape, model)
