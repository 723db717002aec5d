"""sLSTM: the xLSTM's scalar memory, an LSTM with exponential gates, a normaliser and heads.

Source: Beck et al. 2024, arXiv:2405.04517, section 2.2 and appendix A.2; initial values as in
github.com/NX-AI/xlstm, of its first block.
Differs: no convolution of its own before the gates i and f (`model.conv` of a block is before all);
the forget biases go from 5 to -7 over all units, where in the source they do within each head; the
stabiliser starts at -1e30, which has the numbers of the source without its branch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import SLSTM as Options
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.kernels.exporting import layer_norm
from mnist_seq.models.kernels.scan import is_scannable
from mnist_seq.models.kernels.slstm_scan import LARGEST, Form, slstm_scan
from mnist_seq.models.parameter_groups import ParameterGroup
from mnist_seq.models.recurrence import Recurrence

EPS = 1e-5


class SLSTM(Cell):
    """With i, f, z, o = W x + R h' + b, where R is block-diagonal, one block a head:

        m = max(log s(f) + m', i)         c = exp(log s(f) + m' - m) * c' + exp(i - m) * tanh(z)
        h = s(o) * c / n                  n = exp(log s(f) + m' - m) * n' + exp(i - m)

    s is the sigmoid. The state is h, c, n, m. The stabiliser m cancels, so no gradient goes through
    it. The output is h, normalised in each head. Without `exponential`, log s(i) stands for i, and
    the input gate is the LSTM's. Without `normaliser`, h is s(o) * tanh(exp(m) c), as in the LSTM.
    Without both, this is an LSTM whose recurrent weights are within heads.
    """

    steps_at_once = 112

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=4, blocks_h=0)
        self.options = options
        block = hidden // options.heads
        self.weight_hh = nn.Parameter(torch.empty(options.heads, block, 4 * block))
        if options.head_norm:
            self.scale = nn.Parameter(torch.empty(hidden))

    @torch.no_grad()
    def initialise(self, time_steps: int) -> None:
        """See `Cell`; no recurrence at first, and forget biases from 5 down to -7."""
        super().initialise(time_steps)
        self.weight_ih.normal_(std=(2 / (5 * self.weight_ih.shape[1])) ** 0.5)
        self.weight_hh.zero_()
        self.bias_ih.zero_()
        share = torch.linspace(0, 1, self.hidden, device=self.bias_ih.device)
        self.bias_ih.chunk(4)[1].copy_(5 - 12 * share**0.3)
        if self.options.head_norm:
            self.scale.fill_(1)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Weights of one axis do not decay."""
        names = ("bias_ih", "scale") if self.options.head_norm else ("bias_ih",)
        return [ParameterGroup("slstm", names, is_decayed=False)]

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`."""
        return 14 * self.hidden

    def initial(self, x: Tensor) -> State:
        """See `Cell`; h, c, n, m."""
        zeros = x.new_zeros(x.shape[1], self.hidden)
        return zeros, zeros, zeros, torch.full_like(zeros, -1e30)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h, c, n, m."""
        h, c, n, m = state
        by_head = torch.unflatten(h, -1, (self.options.heads, -1))
        of_h = torch.einsum("bhi,hij->bhj", by_head, self.weight_hh)
        of_h = torch.unflatten(of_h, -1, (4, -1)).transpose(1, 2).flatten(1)
        i, f, z, o = (x + of_h).chunk(4, dim=-1)
        i = i if self.options.exponential else F.logsigmoid(i)
        f = F.logsigmoid(f) + m.detach()
        m = torch.maximum(f, i).detach()
        keep, write = torch.exp(f - m), torch.exp(i - m)
        c = keep * c + write * torch.tanh(z)
        n = keep * n + write
        if self.options.normaliser:
            return torch.sigmoid(o) * c / n, c, n, m
        return torch.sigmoid(o) * torch.tanh(c * torch.exp(m.clamp(max=LARGEST))), c, n, m

    def output(self, x: Tensor, state: State) -> Tensor:
        """See `Cell`; h, normalised in each head."""
        return self._normalised(state[0])

    def scan(self, x: Tensor, state: State, noises: State = ()) -> tuple[Tensor, State]:
        """See `Cell`; by `slstm_scan`."""
        if not is_scannable(x, self.weight_hh.dtype):
            return super().scan(x, state, noises)
        form = Form(self.options.exponential, self.options.normaliser)
        h, last = slstm_scan(x, self.weight_hh, state, form)
        return self._normalised(h), last

    def _normalised(self, h: Tensor) -> Tensor:
        """h [..., H], normalised in each head where the cell does so."""
        if not self.options.head_norm:
            return h
        return head_norm(torch.unflatten(h, -1, (self.options.heads, -1)), self.scale)


def head_norm(h: Tensor, scale: Tensor) -> Tensor:
    """Layer normalisation of each head of h [..., heads, V], without a bias: [..., heads * V]."""
    return layer_norm(h, EPS).flatten(-2) * scale


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `SLSTM`."""
    return Recurrence(lambda size, hidden: SLSTM(size, hidden, model), shape, model)
