"""minLSTM: an LSTM whose gates and candidate depend on x only.

Source: Feng et al. 2024, arXiv:2410.01201, section 3.2, the form whose gates sum to 1; appendix B
for the positive candidate.
Differs: biases. With `forget_bias`, those of the input gate are their negative, as chrono biases.
"""

import torch
from torch import Tensor

from mnist_seq.config.schema import MinGRU as Options
from mnist_seq.models.cells import Layers, Shape
from mnist_seq.models.cells.mingru import Lerp, candidate, set_forget_bias_
from mnist_seq.models.recurrence import Recurrence


class MinLSTM(Lerp):
    """h = (f * h' + i * g(W x + b)) / (f + i), with f, i = sigmoid(W x + b); own weights.

    g(v) is v, or with `candidate=positive` v + 1/2 where v >= 0 and sigmoid(v) elsewhere.
    """

    num_blocks = 3

    def initialise(self, time_steps: int) -> None:
        """See `Cell`; with a forget bias, the input gate has its negative."""
        super().initialise(time_steps)
        f, i, _ = self.bias_ih.detach().chunk(3)
        set_forget_bias_(f, self.options, time_steps)
        if self.options.forget_bias != "default":
            i.copy_(-f)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `Lerp`; the share is i / (f + i)."""
        x_f, x_i, n = x.chunk(3, dim=-1)
        f, i = torch.sigmoid(x_f), torch.sigmoid(x_i)
        return candidate(n, self.options), i / (f + i)


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `MinLSTM`."""
    return Recurrence(lambda size, hidden: MinLSTM(size, hidden, model), shape, model)
