"""mLSTM: the xLSTM's matrix memory. Each head writes values under keys and reads them by queries.

Source: Beck et al. 2024, arXiv:2405.04517, section 2.3; initial values of the gates as in
github.com/NX-AI/xlstm.
Differs: the cell alone, without its up-projection by two and without a convolution of its own
(`model.conv` of a block has one); queries, keys and values are full products of x; the output gate
is a silu behind the norm, where the source has it in its block.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import MLSTM as Options
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.cells.slstm import head_norm
from mnist_seq.models.kernels.chunks import SIZE, mlstm_scan
from mnist_seq.models.kernels.exporting import is_traced
from mnist_seq.models.parameter_groups import ParameterGroup
from mnist_seq.models.recurrence import Recurrence


class MLSTM(Cell):
    """With q, k, v, g = W x, of H values each, and i, f = W [q, k, v] + b, one value a head:

        m = max(log s(f) + m', i)         S = exp(log s(f) + m' - m) S' + exp(i - m) k v^T / sqrt(K)
        h = S^T q / max(|n q|, exp(-m))   n = exp(log s(f) + m' - m) n' + exp(i - m) k / sqrt(K)
        y = U (norm(h) * silu(g))

    The state of a head is S [K, K], n [K] and m. The stabiliser m cancels.
    """

    steps_at_once = 112

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=0, blocks_h=0)
        self.options, self.size = options, hidden // options.heads
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden, input_size))
        self.weight_gates = nn.Parameter(torch.empty(2 * options.heads, 3 * hidden))
        self.bias_gates = nn.Parameter(torch.empty(2 * options.heads))
        self.weight_out = nn.Parameter(torch.empty(hidden, hidden))
        if options.head_norm:
            self.scale = nn.Parameter(torch.empty(hidden))

    @torch.no_grad()
    def initialise(self, time_steps: int) -> None:
        """See `Cell`; gates that do not depend on x at first, forget biases from 3 to 6."""
        super().initialise(time_steps)
        self.weight_ih.normal_(std=(2 / (5 * self.weight_ih.shape[1])) ** 0.5)
        self.weight_gates.zero_()
        i, f = self.bias_gates.chunk(2)
        i.normal_(std=0.1)
        f.copy_(torch.linspace(3, 6, self.options.heads, device=f.device))
        if self.options.head_norm:
            self.scale.fill_(1)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Weights of one axis do not decay."""
        names = ("bias_gates", "scale") if self.options.head_norm else ("bias_gates",)
        return [ParameterGroup("mlstm", names, is_decayed=False)]

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`; pairs of time steps in a chunk, and a state of each chunk, among others."""
        heads, chunk = self.options.heads, min(SIZE, time_steps)
        of_states = 3 * heads * self.size**2 // chunk
        return 20 * self.hidden + 4 * heads * chunk + of_states

    def initial(self, x: Tensor) -> State:
        """See `Cell`; S, n and m of each head."""
        shape = (x.shape[1], self.options.heads)
        s = x.new_zeros(*shape, self.size, self.size)
        return s, x.new_zeros(*shape, self.size), x.new_zeros(shape)

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B E"]:
        """See `Cell`; q, scaled k, v, g, i and f."""
        qkvg = F.linear(x, self.weight_ih)
        qkv = qkvg[..., : 3 * self.hidden]
        gates = F.linear(qkv, self.weight_gates, self.bias_gates)
        q, k, v, g = qkvg.chunk(4, dim=-1)
        return torch.cat((q, k * self.size**-0.5, v, g, gates), dim=-1)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns S, n and m."""
        s, n, m = state
        _, k, v, _, i, f = self._parts(x)
        f = F.logsigmoid(f) + m.detach()
        m = torch.maximum(f, i).detach()
        keep, write = torch.exp(f - m).unsqueeze(-1), torch.exp(i - m).unsqueeze(-1)
        written = write * k
        s = keep.unsqueeze(-1) * s + written.unsqueeze(-1) * v.unsqueeze(-2)
        return s, keep * n + written, m

    def output(self, x: Tensor, state: State) -> Tensor:
        """See `Cell`; y."""
        s, n, m = state
        q, _, _, g, _, _ = self._parts(x)
        norm = (q * n).sum(-1, keepdim=True).abs()
        h = (q.unsqueeze(-2) @ s).squeeze(-2)
        return self._read(h / torch.maximum(norm, torch.exp(-m).unsqueeze(-1)), g)

    def scan(self, x: Tensor, state: State, noises: State = ()) -> tuple[Tensor, State]:
        """See `Cell`; by `mlstm_scan`."""
        if is_traced():
            return super().scan(x, state, noises)
        q, k, v, g, i, f = self._parts(x)
        s, n, m = state
        h, new = mlstm_scan(q, k, v, i, f, (s, n, m))
        return self._read(h, g), new

    def _parts(self, x: Tensor) -> State:
        """q, k, v by heads; g; i and f."""
        *qkvg, i, f = torch.split(x, [self.hidden] * 4 + [self.options.heads] * 2, dim=-1)
        q, k, v = (torch.unflatten(each, -1, (self.options.heads, -1)) for each in qkvg[:3])
        return q, k, v, qkvg[3], i, f

    def _read(self, h: Tensor, g: Tensor) -> Tensor:
        """y, from h [..., heads, K]."""
        h = head_norm(h, self.scale) if self.options.head_norm else h.flatten(-2)
        return F.linear(h * F.silu(g), self.weight_out)


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `MLSTM`."""
    return Recurrence(lambda size, hidden: MLSTM(size, hidden, model), shape, model)
