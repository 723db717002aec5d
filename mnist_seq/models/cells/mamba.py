"""Mamba: each channel has N states, and the input sets how fast they decay and what they take in.

Source: Gu & Dao 2023, arXiv:2312.00752; initial values as in github.com/state-spaces/mamba.
Differs: the output matrix is not divided by the root of the number of layers, which a cell does not
know; the rank of the step size comes from `model.hidden`, also where the input is not as wide.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import Mamba as Options
from mnist_seq.models.cells import Layers, Shape, State
from mnist_seq.models.initial import fan_in_, step_size_
from mnist_seq.models.kernels.scan import is_scannable
from mnist_seq.models.kernels.selective import selective_scan
from mnist_seq.models.parameter_groups import ParameterGroup
from mnist_seq.models.recurrence import Recurrence
from mnist_seq.models.short_conv import ShortConv


class Mamba(ShortConv):
    """With u, z = W x, of E = expand * H channels each, c = silu(conv(u)), and low, B, C = W c:

        dt = softplus(W low + b)      S = exp(dt A) * S' + (dt c) B^T, A = -exp(log_A)
        y = W ((S C + D c) * silu(z))

    The state is S [E, N]; a further state has the last inputs of the convolution, the present one
    included.
    """

    steps_at_once = 112

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=0, blocks_h=0)
        self.options = options
        self.channels, self.rank = options.expand * hidden, math.ceil(hidden / 16)
        channels, states = self.channels, options.states
        self.weight_ih = nn.Parameter(torch.empty(2 * channels, input_size))
        self.weight_conv = nn.Parameter(torch.empty(options.conv_width, 1, channels))
        self.bias_conv = nn.Parameter(torch.empty(channels))
        self.weight_x = nn.Parameter(torch.empty(self.rank + 2 * states, channels))
        self.weight_dt = nn.Parameter(torch.empty(channels, self.rank))
        self.bias_dt = nn.Parameter(torch.empty(channels))
        self.log_A = nn.Parameter(torch.empty(channels, states))
        self.D = nn.Parameter(torch.empty(channels))
        self.weight_out = nn.Parameter(torch.empty(hidden, channels))

    @torch.no_grad()
    def initialise(self, time_steps: int) -> None:
        """See `Cell`; the states of a channel decay at rates from 1 to N."""
        fan_in_(self.weight_ih, self.weight_x, self.weight_dt, self.weight_out)
        bound = self.options.conv_width**-0.5
        self.weight_conv.uniform_(-bound, bound)
        self.bias_conv.uniform_(-bound, bound)
        step_size_(self.bias_dt)
        rates = torch.arange(1.0, self.options.states + 1, device=self.log_A.device)
        self.log_A.copy_(rates.log().expand_as(self.log_A))
        self.D.fill_(1)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Rates and skip do not decay."""
        return [ParameterGroup("mamba", ("log_A", "D"), is_decayed=False)]

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`; the states of all channels, and ten numbers of each."""
        return (self.options.states + 10) * self.channels

    def initial(self, x: Tensor) -> State:
        """See `Cell`; S, and the last inputs of the convolution."""
        s = x.new_zeros(x.shape[1], self.channels, self.options.states)
        return s, x.new_zeros(x.shape[1], self.options.conv_width, self.channels)

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B E"]:
        """See `Cell`; u and z."""
        return F.linear(x, self.weight_ih)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns S and the last inputs of the convolution."""
        s, window = state
        window = self.shifted(window, x[..., : self.channels])
        c, dt, b, _ = self.now(window)
        keep = torch.exp(dt.unsqueeze(-1) * -self.log_A.exp())
        return keep * s + (dt * c).unsqueeze(-1) * b.unsqueeze(-2), window

    def output(self, x: Tensor, state: State) -> Tensor:
        """See `Cell`; y."""
        s, window = state
        c, _, _, to_read = self.now(window)
        z = x[..., self.channels :]
        return self._read((s @ to_read.unsqueeze(-1)).squeeze(-1), c, z)

    def scan(self, x: Tensor, state: State, noises: State = ()) -> tuple[Tensor, State]:
        """See `Cell`; by `selective_scan`."""
        if not is_scannable(x, self.D.dtype):
            return super().scan(x, state, noises)
        s, window = state
        u, z = x.chunk(2, dim=-1)
        u, window = self.convolve(u, window)
        c, dt, b, to_read = self.of_conv(u)
        y, s = selective_scan(c, dt, -self.log_A.exp(), b, to_read, s)
        return self._read(y, c, z), (s, window)

    def of_conv(self, u: Tensor) -> State:
        """c, dt, B and C; the bias of the convolution is added here."""
        c = F.silu(u + self.bias_conv)
        sizes = [self.rank, self.options.states, self.options.states]
        low, b, to_read = torch.split(F.linear(c, self.weight_x), sizes, dim=-1)
        return c, F.softplus(F.linear(low, self.weight_dt, self.bias_dt)), b, to_read

    def _read(self, y: Tensor, c: Tensor, z: Tensor) -> Tensor:
        return F.linear((y + self.D * c) * F.silu(z), self.weight_out)


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `Mamba`."""
    return Recurrence(lambda size, hidden: Mamba(size, hidden, model), shape, model)
