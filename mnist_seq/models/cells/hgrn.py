"""HGRN: a gated linear recurrence with a lower bound of its forget gate, and an output gate.

Source: Qin et al. 2023, arXiv:2311.04823, in the real form of
github.com/fla-org/flash-linear-attention.
Differs: real, as there, where the paper's state is complex; the lower bound is a setting, one for
all layers, where the source learns one that rises from layer to layer from 0; a forget bias.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import HGRN as Options
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.initial import chrono_
from mnist_seq.models.kernels.compiled import functions_for
from mnist_seq.models.kernels.compiled.hgrn import CompiledHGRN
from mnist_seq.models.kernels.diagonal import diagonal_scan
from mnist_seq.models.kernels.exporting import rms_norm
from mnist_seq.models.kernels.scan import is_scannable
from mnist_seq.models.parameter_groups import ParameterGroup
from mnist_seq.models.recurrence import Recurrence

EPS = 1e-5


class HGRN(Cell):
    """With i, f, g = W x, of which f has a bias b, and l the lower bound:

        f = l + (1 - l) s(f + b)      h = f h' + (1 - f) silu(i)      y = U (norm(h) * silu(g))

    s is the sigmoid. The state is h; the norm is RMS.
    """

    steps_at_once = 112

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=0, blocks_h=0)
        self.options = options
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden, input_size))
        self.bias_f = nn.Parameter(torch.empty(hidden))
        self.scale = nn.Parameter(torch.empty(hidden))
        self.weight_out = nn.Parameter(torch.empty(hidden, hidden))

    @torch.no_grad()
    def initialise(self, time_steps: int) -> None:
        """See `Cell`; the forget bias as `forget_bias` says."""
        super().initialise(time_steps)
        self.scale.fill_(1)
        if self.options.forget_bias == "chrono":
            chrono_(self.bias_f, time_steps)
        else:
            self.bias_f.fill_(self.options.forget_bias)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Weights of one axis do not decay."""
        return [ParameterGroup("hgrn", ("bias_f", "scale"), is_decayed=False)]

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`."""
        return 14 * self.hidden

    def forward(
        self, x: Float[Tensor, "T B D"], state: State = (), noises: State = ()
    ) -> tuple[Float[Tensor, "T B H"], State]:
        """See `Cell`; by the compiled library, where the trainer lends it."""
        functions = functions_for(x, self.scale)
        if not functions or not is_scannable(x, self.scale.dtype):
            return super().forward(x, state, noises)
        (h_0,) = state or self.initial(x)
        weights = (self.weight_ih, self.bias_f, self.scale, self.weight_out)
        y, last = CompiledHGRN.apply(  # type: ignore[no-untyped-call]
            functions, x, *weights, h_0, self.options.lower_bound, EPS
        )
        return y, (last,)

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B three_H"]:
        """See `Cell`; (1 - f) silu(i), f and g."""
        i, f, g = F.linear(x, self.weight_ih).chunk(3, dim=-1)
        low = self.options.lower_bound
        f = low + (1 - low) * torch.sigmoid(f + self.bias_f)
        return torch.cat(((1 - f) * F.silu(i), f, g), dim=-1)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h."""
        u, f, _ = x.chunk(3, dim=-1)
        return (f * state[0] + u,)

    def output(self, x: Tensor, state: State) -> Tensor:
        """See `Cell`; y."""
        return self._read(state[0], x.chunk(3, dim=-1)[2])

    def scan(self, x: Tensor, state: State, noises: State = ()) -> tuple[Tensor, State]:
        """See `Cell`; by `diagonal_scan`."""
        if not is_scannable(x, self.scale.dtype):
            return super().scan(x, state, noises)
        u, f, g = x.chunk(3, dim=-1)
        h = diagonal_scan(f, u, state[0])
        return self._read(h, g), (h[-1],)

    def _read(self, h: Tensor, g: Tensor) -> Tensor:
        h = rms_norm(h, self.scale.to(h.dtype), EPS)
        return F.linear(h * F.silu(g), self.weight_out)


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `HGRN`."""
    return Recurrence(lambda size, hidden: HGRN(size, hidden, model), shape, model)
