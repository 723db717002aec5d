"""LMU, the Legendre memory unit: a fixed linear memory of the last T time steps beside the units.

Source: Voelker et al. 2019, NeurIPS; initial values as in github.com/hrshtv/pytorch-lmu.
Differs: `theta` is the task's number of time steps, as there, unless it is set.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import LMU as Options
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.recurrence import Recurrence


class LMU(Cell):
    """u = e_x x + e_h h' + e_m m', m = A m' + B u, h = tanh(W_x x + W_h h' + W_m m).

    m has `order` values: coefficients, in Legendre polynomials, of u over the last `theta` time
    steps. A and B follow from `order` and `theta` and are not trained. The state is h, m.
    `weight_ih` has the rows W_x, then e_x.
    """

    A: Tensor
    B: Tensor

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=0, blocks_h=1)
        self.options, order = options, options.order
        self.weight_ih = nn.Parameter(torch.empty(hidden + 1, input_size))
        self.weight_mh = nn.Parameter(torch.empty(hidden, order))
        self.encoder_h = nn.Parameter(torch.empty(hidden))
        self.encoder_m = nn.Parameter(torch.empty(order))
        self.register_buffer("A", torch.empty(order, order), persistent=False)
        self.register_buffer("B", torch.empty(order), persistent=False)

    @torch.no_grad()
    def initialise(self, time_steps: int) -> None:
        """See `Cell`; nothing of the memory feeds itself through u at first."""
        w_x, e_x = torch.split(self.weight_ih, [self.hidden, 1])
        for weight in (w_x, self.weight_hh, self.weight_mh):
            nn.init.xavier_normal_(weight)
        for encoder in (e_x, self.encoder_h):
            bound = (3 / encoder.numel()) ** 0.5  # LeCun's uniform
            encoder.uniform_(-bound, bound)
        self.encoder_m.zero_()
        theta = time_steps if self.options.theta == "time_steps" else self.options.theta
        a, b = _memory(self.options.order, theta)
        self.A.copy_(a)
        self.B.copy_(b)

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`."""
        return 2 * self.hidden + self.options.order

    def initial(self, x: Tensor) -> State:
        """See `Cell`; h and m."""
        batch = x.shape[1]
        return x.new_zeros(batch, self.hidden), x.new_zeros(batch, self.options.order)

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B E"]:
        """See `Cell`; W_x x, and e_x x."""
        return F.linear(x, self.weight_ih)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h and m."""
        h, m = state
        x_h, x_u = torch.split(x, [self.hidden, 1], dim=-1)
        u = x_u + (h @ self.encoder_h + m @ self.encoder_m).unsqueeze(-1)
        m = F.linear(m, self.A) + u * self.B
        return torch.tanh(x_h + F.linear(h, self.weight_hh) + F.linear(m, self.weight_mh)), m


def _memory(order: int, theta: int) -> tuple[Tensor, Tensor]:
    """A and B for one time step, with the input held constant within it; float64, on the CPU."""
    i = torch.arange(order, dtype=torch.float64, device="cpu")
    rate = (2 * i + 1).unsqueeze(-1) / theta
    sign = (-1) ** (i.unsqueeze(-1) - i + 1)
    a = rate * torch.where(i.unsqueeze(-1) < i, -1.0, sign)
    b = rate * ((-1) ** i).unsqueeze(-1)
    both = torch.cat((torch.cat((a, b), dim=1), a.new_zeros(1, order + 1)))
    found = torch.linalg.matrix_exp(both)
    return found[:order, :order], found[:order, order]


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `LMU`."""
    return Recurrence(lambda size, hidden: LMU(size, hidden, model), shape, model)
