"""SSD, the cell of Mamba-2: heads with a matrix memory that decays at a rate set by the input.

Source: Dao & Gu 2024, arXiv:2405.21060; initial values as in github.com/state-spaces/mamba.
`decay=fixed` is the retention of RetNet (Sun et al. 2023, arXiv:2307.08621): rates of their own and
keys of their own for each head, and no step sizes; without its rotation of queries and keys.
Differs: as in `mamba`, the output matrix is not divided by the root of the number of layers.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import SSD as Options
from mnist_seq.models.cells import Layers, Shape, State
from mnist_seq.models.initial import fan_in_, step_size_
from mnist_seq.models.kernels.chunks import SIZE, decayed_scan
from mnist_seq.models.kernels.exporting import rms_norm
from mnist_seq.models.parameter_groups import ParameterGroup
from mnist_seq.models.recurrence import Recurrence
from mnist_seq.models.short_conv import ShortConv

EPS = 1e-5


class SSD(ShortConv):
    """With z, u, d = W x, v, k, q = silu(conv(u)), and for each head dt = softplus(d + dt_bias)
    and a = exp(-exp(log_A) dt):

        S = a S' + k (dt v)^T      y = W norm((S^T q + D v) * silu(z))

    v has E = expand * H values in all heads together; all heads share k and q of N values. With
    `decay=fixed`, a = 1 - 2^(-5 - head), dt = 1, each head has its own k and q, and k is divided by
    sqrt(N). The state of a head is S [N, E / heads]; a further state has the last inputs of the
    convolution, the present one included.
    """

    steps_at_once = 112

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=0, blocks_h=0)
        self.options, self.channels = options, options.expand * hidden
        self.is_fixed = options.decay == "fixed"
        self.num_keys = options.heads if self.is_fixed else 1  # heads of k and q
        self.convolved = self.channels + 2 * self.num_keys * options.states
        num_dt = 0 if self.is_fixed else options.heads
        self.weight_ih = nn.Parameter(
            torch.empty(self.channels + self.convolved + num_dt, input_size)
        )
        self.weight_conv = nn.Parameter(torch.empty(options.conv_width, 1, self.convolved))
        self.bias_conv = nn.Parameter(torch.empty(self.convolved))
        if not self.is_fixed:
            self.log_A, self.dt_bias = (nn.Parameter(torch.empty(options.heads)) for _ in range(2))
        self.D = nn.Parameter(torch.empty(options.heads))
        self.scale = nn.Parameter(torch.empty(self.channels))
        self.weight_out = nn.Parameter(torch.empty(hidden, self.channels))

    @torch.no_grad()
    def initialise(self, time_steps: int) -> None:
        """See `Cell`; memories from a few time steps to a thousand."""
        fan_in_(self.weight_ih, self.weight_out)
        bound = self.options.conv_width**-0.5
        self.weight_conv.uniform_(-bound, bound)
        self.bias_conv.uniform_(-bound, bound)
        if not self.is_fixed:
            self.log_A.uniform_(1, 16).log_()
            step_size_(self.dt_bias)
        self.D.fill_(1)
        self.scale.fill_(1)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Rates, step sizes and skip do not decay."""
        names = ("D",) if self.is_fixed else ("log_A", "dt_bias", "D")
        return [ParameterGroup("ssd", names, is_decayed=False)]

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`; pairs of time steps in a chunk, and a state of each chunk, among others."""
        heads, chunk = self.options.heads, min(SIZE, time_steps)
        of_states = 3 * self.options.states * self.channels // chunk
        of_convolved = 3 * self.convolved
        return 10 * self.channels + of_convolved + 3 * heads * chunk + of_states

    def initial(self, x: Tensor) -> State:
        """See `Cell`; S of each head, and the last inputs of the convolution."""
        batch, heads = x.shape[1], self.options.heads
        s = x.new_zeros(batch, heads, self.options.states, self.channels // heads)
        return s, x.new_zeros(batch, self.options.conv_width, self.convolved)

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B E"]:
        """See `Cell`; z, u and dt."""
        return F.linear(x, self.weight_ih)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns S, and the last inputs of the convolution."""
        s, window = state
        _, u, dt = self._parts(x)
        window = self.shifted(window, u)
        v, k, _ = self.now(window)
        dt, log_a = self._rates(dt)
        written = k.unsqueeze(-1) * (dt.unsqueeze(-1) * v).unsqueeze(-2)
        return log_a.exp()[..., None, None] * s + written, window

    def output(self, x: Tensor, state: State) -> Tensor:
        """See `Cell`; y."""
        s, window = state
        v, _, q = self.now(window)
        return self._read((q.unsqueeze(-2) @ s).squeeze(-2), v, self._parts(x)[0])

    def scan(self, x: Tensor, state: State, noises: State = ()) -> tuple[Tensor, State]:
        """See `Cell`; by `decayed_scan`."""
        s, window = state
        z, u, dt = self._parts(x)
        u, window = self.convolve(u, window)
        v, k, q = self.of_conv(u)
        dt, log_a = self._rates(dt)
        o, s = decayed_scan(q, k, dt.unsqueeze(-1) * v, log_a, s)
        return self._read(o, v, z), (s, window)

    def _parts(self, x: Tensor) -> State:
        """z, u, and dt of each head, which is 0 with fixed rates."""
        z, u, *dt = torch.split(
            x, [self.channels, self.convolved] + [self.options.heads] * (not self.is_fixed), dim=-1
        )
        return z, u, dt[0] if dt else x.new_zeros(*x.shape[:-1], self.options.heads)

    def of_conv(self, u: Tensor) -> State:
        """v [..., heads, V], k and q [..., heads of keys, N]; the bias is added here."""
        sizes = [self.channels] + [self.num_keys * self.options.states] * 2
        v, k, q = torch.split(F.silu(u + self.bias_conv), sizes, dim=-1)
        k, q = (torch.unflatten(each, -1, (self.num_keys, -1)) for each in (k, q))
        if self.is_fixed:
            k = k * self.options.states**-0.5
        return torch.unflatten(v, -1, (self.options.heads, -1)), k, q

    def _rates(self, dt: Tensor) -> tuple[Tensor, Tensor]:
        """What values are multiplied by, and log a, of each head."""
        if self.is_fixed:
            head = torch.arange(self.options.heads, dtype=dt.dtype, device=dt.device)
            return torch.ones_like(dt), torch.log1p(-(2 ** (-5 - head))).expand_as(dt)
        dt = F.softplus(dt + self.dt_bias)
        return dt, -self.log_A.exp() * dt

    def _read(self, o: Tensor, v: Tensor, z: Tensor) -> Tensor:
        """y, from o and v [..., heads, V]."""
        o = (o + self.D.unsqueeze(-1) * v).flatten(-2) * F.silu(z)
        return F.linear(rms_norm(o, self.scale.to(o.dtype), EPS), self.weight_out)


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `SSD`."""
    return Recurrence(lambda size, hidden: SSD(size, hidden, model), shape, model)
