"""Gated DeltaNet: a matrix memory that overwrites what it holds under a key, and decays.

Source: Yang et al. 2025, arXiv:2412.06464; `gated=false` is DeltaNet (Yang et al. 2024,
arXiv:2406.06484), `negative=true` is Grazzi et al. 2024, arXiv:2411.12537. Initial values of the
decay as in github.com/fla-org/flash-linear-attention.
Differs: keys and values are equally wide; all matrices start in U[-1/sqrt(H), 1/sqrt(H)]; the
output gate stays with `gated=false`, where DeltaNet has none.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import GatedDelta as Options
from mnist_seq.models.cells import Layers, Shape, State
from mnist_seq.models.initial import step_size_
from mnist_seq.models.kernels.chunks import SIZE, delta_scan
from mnist_seq.models.kernels.exporting import is_traced, rms_norm
from mnist_seq.models.parameter_groups import ParameterGroup
from mnist_seq.models.recurrence import Recurrence
from mnist_seq.models.short_conv import ShortConv

EPS = 1e-5  # of the norm of a head's output
EPS_KEY = 1e-6  # of the length of a query or key


class GatedDelta(ShortConv):
    """With q, k, v = silu(conv(W x)), q and k of length 1, g = W x, and for each head
    beta = s(W x), a = exp(-exp(log_A) softplus(W x + dt_bias)):

        S = a (I - beta k k^T) S' + beta k v^T      y = U (norm(S^T q / sqrt(K)) * silu(g))

    s is the sigmoid, twice as large with `negative`. The state of a head is S [K, K]; a further
    state has the last inputs of the convolution, the present one included.
    """

    steps_at_once = 112

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=0, blocks_h=0)
        self.options, self.size = options, hidden // options.heads
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden, input_size))
        self.weight_heads = nn.Parameter(
            torch.empty((1 + options.gated) * options.heads, input_size)
        )
        self.weight_conv = nn.Parameter(torch.empty(options.conv_width, 1, 3 * hidden))
        if options.gated:
            self.log_A = nn.Parameter(torch.empty(options.heads))
            self.dt_bias = nn.Parameter(torch.empty(options.heads))
        self.scale = nn.Parameter(torch.empty(self.size))
        self.weight_out = nn.Parameter(torch.empty(hidden, hidden))

    @torch.no_grad()
    def initialise(self, time_steps: int) -> None:
        """See `Cell`; memories from a few time steps to thousands."""
        super().initialise(time_steps)
        width = self.options.conv_width
        self.weight_conv.uniform_(-(width**-0.5), width**-0.5)
        self.scale.fill_(1)
        if self.options.gated:
            self.log_A.uniform_(0, 16).clamp_(min=1e-4).log_()
            step_size_(self.dt_bias)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The decay's weights do not decay."""
        if not self.options.gated:
            return []
        return [ParameterGroup("gated_delta", ("log_A", "dt_bias"), is_decayed=False)]

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`; pairs of time steps in a chunk, and a state of each chunk, among others."""
        heads, chunk = self.options.heads, min(SIZE, time_steps)
        of_states = 3 * heads * self.size**2 // chunk
        return 30 * self.hidden + 7 * heads * chunk + of_states

    def initial(self, x: Tensor) -> State:
        """See `Cell`; S of each head, and the last inputs of the convolution."""
        batch, width = x.shape[1], self.options.conv_width
        s = x.new_zeros(batch, self.options.heads, self.size, self.size)
        return s, x.new_zeros(batch, width, 3 * self.hidden)

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B E"]:
        """See `Cell`; q, k, v before the convolution; g; beta, and log a if there is one."""
        beta, *a = F.linear(x, self.weight_heads).split(self.options.heads, dim=-1)  # type: ignore[no-untyped-call]
        heads = [torch.sigmoid(beta) * (2 if self.options.negative else 1)]
        if a:
            heads.append(-self.log_A.exp() * F.softplus(a[0] + self.dt_bias))
        return torch.cat((F.linear(x, self.weight_ih), *heads), dim=-1)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns S, and the last inputs of the convolution."""
        s, window = state
        new, _, beta, log_a = self._parts(x)
        window = self.shifted(window, new)
        _, k, v = self.now(window)
        s = log_a.exp()[..., None, None] * s
        found = (k.unsqueeze(-2) @ s).squeeze(-2)
        error = beta.unsqueeze(-1) * (v - found)
        return s + k.unsqueeze(-1) * error.unsqueeze(-2), window

    def output(self, x: Tensor, state: State) -> Tensor:
        """See `Cell`; y."""
        s, window = state
        q, _, _ = self.now(window)
        return self._read((q.unsqueeze(-2) @ s).squeeze(-2), self._parts(x)[1])

    def scan(self, x: Tensor, state: State, noises: State = ()) -> tuple[Tensor, State]:
        """See `Cell`; by `delta_scan`."""
        if is_traced():
            return super().scan(x, state, noises)
        s, window = state
        new, g, beta, log_a = self._parts(x)
        u, window = self.convolve(new, window)
        q, k, v = self.of_conv(u)
        o, s = delta_scan(q, k, v, log_a, beta, s)
        return self._read(o, g), (s, window)

    def _parts(self, x: Tensor) -> State:
        """q, k, v side by side; g; beta and log a of each head."""
        heads = self.options.heads
        sizes = [3 * self.hidden, self.hidden, heads] + [heads] * self.options.gated
        qkv, g, beta, *log_a = torch.split(x, sizes, dim=-1)
        return qkv, g, beta, log_a[0] if log_a else torch.zeros_like(beta)

    def of_conv(self, u: Tensor) -> State:
        """q, k and v [..., heads, K]."""
        by_head = torch.unflatten(F.silu(u), -1, (3 * self.options.heads, -1))
        q, k, v = by_head.chunk(3, dim=-2)
        return _unit(q) * self.size**-0.5, _unit(k), v

    def _read(self, o: Tensor, g: Tensor) -> Tensor:
        """y, from o [..., heads, K]."""
        o = rms_norm(o, self.scale.to(o.dtype), EPS).flatten(-2)
        return F.linear(o * F.silu(g), self.weight_out)


def _unit(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + EPS_KEY)


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `GatedDelta`."""
    return Recurrence(lambda size, hidden: GatedDelta(size, hidden, model), shape, model)
