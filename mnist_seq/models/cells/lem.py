"""LEM, the long expressive memory: two states with time steps of their own, which the gates set.

Source: Rusch et al. 2022, arXiv:2110.04744, and github.com/tk-rusch/LEM.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import LEM as Options
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.recurrence import Recurrence


class LEM(Cell):
    """With d1 = dt s(W1 x + V1 y') and d2 = dt s(W2 x + V2 y'):

        z = (1 - d2) z' + d2 tanh(Wz x + Vz y')      y = (1 - d1) y' + d1 tanh(Wy x + Vy z)

    s is the sigmoid; each product has a bias, so a layer has as many weights as an LSTM's. The
    state is y, z. `weight_ih` has the blocks W1, W2, Wz, Wy, and `weight_hh` V1, V2, Vz, Vy.
    """

    num_states = 2

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=4, blocks_h=4)
        self.bias_hh = nn.Parameter(torch.empty(4 * hidden))
        self.options = options

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`."""
        return 8 * self.hidden

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns y and z."""
        y, z = state
        sizes = [3 * self.hidden, self.hidden]
        of_y, of_z = torch.split(self.weight_hh, sizes)
        bias_y, bias_z = torch.split(self.bias_hh, sizes)
        x_gates, x_z, x_y = torch.split(x, [2 * self.hidden, self.hidden, self.hidden], dim=-1)
        y_gates, y_z = torch.split(
            F.linear(y, of_y, bias_y), [2 * self.hidden, self.hidden], dim=-1
        )
        d_y, d_z = (self.options.dt * torch.sigmoid(x_gates + y_gates)).chunk(2, dim=-1)
        z = torch.lerp(z, torch.tanh(x_z + y_z), d_z)
        return torch.lerp(y, torch.tanh(x_y + F.linear(z, of_z, bias_z)), d_y), z


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `LEM`."""
    return Recurrence(lambda size, hidden: LEM(size, hidden, model), shape, model)
