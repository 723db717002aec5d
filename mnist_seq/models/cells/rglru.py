"""RG-LRU: the real-gated linear recurrent unit of Griffin and RecurrentGemma.

Source: De et al. 2024, arXiv:2402.19427, section 2.4; initial values, the bound of the root's slope
and the first time step as in github.com/google-deepmind/recurrentgemma.
Differs: where the input is not `model.hidden` wide (outside of blocks), a linear layer comes first;
L does not decay; below 1 - a^2 = 2.5e-7, where the source bounds the slope of the root only, the
root is constant.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import RGLRU as Options
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.kernels.exporting import expm1
from mnist_seq.models.kernels.gated import SMALLEST, gated_scan
from mnist_seq.models.kernels.scan import is_scannable
from mnist_seq.models.parameter_groups import ParameterGroup
from mnist_seq.models.recurrence import Recurrence


class RGLRU(Cell):
    """h = a * h' + sqrt(1 - a^2) * i * x, a = exp(-c r softplus(L)), r, i = sigmoid(W x + b).

    The weights of r and i are block-diagonal, one block a head. At the first time step of a
    sequence nothing came before, and the root is 1. A second state, [B, 1], is 0 there and 1 later.
    """

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=int(input_size != hidden), blocks_h=0)
        self.options = options
        self.num_gates = 2 if options.input_gate else 1  # r, i
        block = hidden // options.heads
        self.weight = nn.Parameter(torch.empty(self.num_gates, options.heads, block, block))
        self.bias = nn.Parameter(torch.empty(self.num_gates, hidden))
        self.L = nn.Parameter(torch.empty(hidden))

    @torch.no_grad()
    def initialise(self, time_steps: int) -> None:
        """See `Cell`; a^(1/8) at r = 1 is uniform in the ring from 0.9 to 0.999."""
        super().initialise(time_steps)
        self.weight.normal_(std=self.weight.shape[-1] ** -0.5)
        self.bias.zero_()
        radius = self.L.uniform_(0.9**2, 0.999**2).add_(1e-8).sqrt_()
        self.L.copy_(torch.log(torch.expm1(-radius.log())))

    def parameter_groups(self) -> list[ParameterGroup]:
        """L does not decay."""
        return [ParameterGroup("rglru", ("L",), is_decayed=False)]

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`."""
        return 2 * self.hidden

    def initial(self, x: Tensor) -> State:
        """See `Cell`; h, and that nothing came before."""
        return x.new_zeros(x.shape[1], self.hidden), x.new_zeros(x.shape[1], 1)

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B two_H"]:
        """See `Cell`; log a, and i * x."""
        x = super().project(x)
        by_head = torch.unflatten(x, -1, (self.options.heads, -1))
        rows = torch.einsum("tbhi,ghij->gtbhj", by_head, self.weight).flatten(-2)
        r, *i = torch.sigmoid(rows + self.bias[:, None, None]).unbind(0)
        log_a = -self.options.c * r * F.softplus(self.L)
        return torch.cat((log_a, i[0] * x if i else x), dim=-1)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h, and ones."""
        h, has_begun = state
        a, u = self._parts(x, has_begun)
        return a * h + u, 0 * has_begun + 1  # not `ones_like`, whose size exporters fix

    def forward(
        self, x: Float[Tensor, "T B D"], state: State = (), noises: State = ()
    ) -> tuple[Float[Tensor, "T B H"], State]:
        """See `Cell`; by `gated_scan`."""
        if not is_scannable(x, self.L.dtype):
            return super().forward(x, state, noises)
        x = super().project(x)
        h_0, has_begun = state or self.initial(x)
        rate = self.options.c * F.softplus(self.L)
        weights = (self.weight, self.bias, rate)
        h = gated_scan(x, *weights, h_0, has_begun, is_normalised=self.options.normalise)
        return h, (h[-1], torch.ones_like(has_begun))

    def _parts(self, x: Tensor, has_begun: Tensor) -> tuple[Tensor, Tensor]:
        """The decay a, and what is added to the state."""
        log_a, u = x.chunk(2, dim=-1)
        if self.options.normalise:
            root = torch.sqrt((-expm1(2 * log_a)).clamp(min=SMALLEST))
            u = torch.where(has_begun > 0, root, 1.0) * u
        return log_a.exp(), u


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `RGLRU`."""
    return Recurrence(lambda size, hidden: RGLRU(size, hidden, model), shape, model)
