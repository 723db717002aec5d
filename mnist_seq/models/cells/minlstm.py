"""minLSTM: an LSTM whose gates and candidate depend on x only.

Source: Feng et al. 2024, arXiv:2410.01201, section 3.2, the form whose gates sum to 1; appendix B
for the positive candidate.
Differs: biases. With `forget_bias`, those of the input gate are their negative, as chrono biases.
"""

import torch
from torch import Tensor

from mnist_seq.config.schema import MinGRU as Options
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.cells.mingru import candidate, set_forget_bias_
from mnist_seq.models.kernels.diagonal import lerp_scan
from mnist_seq.models.kernels.scan import is_scannable
from mnist_seq.models.recurrence import Recurrence


class MinLSTM(Cell):
    """h = (f * h' + i * g(W x + b)) / (f + i), with f, i = sigmoid(W x + b); own weights.

    g(v) is v, or with `candidate=positive` v + 1/2 where v >= 0 and sigmoid(v) elsewhere.
    """

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=3, blocks_h=0)
        self.options = options

    def initialise(self, time_steps: int) -> None:
        """See `Cell`; with a forget bias, the input gate has its negative."""
        super().initialise(time_steps)
        f, i, _ = self.bias_ih.detach().chunk(3)
        set_forget_bias_(f, self.options, time_steps)
        if self.options.forget_bias != "default":
            i.copy_(-f)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h."""
        (h,) = state
        return (torch.lerp(h, *self._parts(x)),)

    def scan(self, x: Tensor, state: State, noises: State = ()) -> tuple[Tensor, State]:
        """See `Cell`; by `lerp_scan`."""
        if not is_scannable(x, self.bias_ih.dtype):
            return super().scan(x, state, noises)
        outputs, last = lerp_scan(*self._parts(x), *state)
        return outputs, (last,)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Candidate, and the share of it in the new h."""
        x_f, x_i, n = x.chunk(3, dim=-1)
        f, i = torch.sigmoid(x_f), torch.sigmoid(x_i)
        return candidate(n, self.options), i / (f + i)


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `MinLSTM`."""
    return Recurrence(lambda size, hidden: MinLSTM(size, hidden, model), shape, model)
