"""minGRU: a GRU whose gate and candidate depend on x only.

Source: Feng et al. 2024, arXiv:2410.01201: section 3.1, and appendix B for the positive candidate.
Differs: biases; with `forget_bias`, z starts near 0. The paper's log-space form is an order of
evaluation of the positive candidate; the scan has the same numbers, and is faster and more exact.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mnist_seq.config.schema import MinGRU as Options
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.initial import chrono_
from mnist_seq.models.kernels.lerp import lerp_scan
from mnist_seq.models.kernels.scan import is_scannable
from mnist_seq.models.recurrence import Recurrence


class Lerp(Cell):
    """h moves from h' towards a candidate by a share, and both depend on x only."""

    num_blocks: ClassVar[int]  # products W x + b, of H values each

    def __init__(self, input_size: int, hidden: int, options: Options) -> None:
        super().__init__(input_size, hidden, blocks_x=self.num_blocks, blocks_h=0)
        self.options = options

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h."""
        (h,) = state
        return (torch.lerp(h, *self._parts(x)),)

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`; x and h."""
        return self.hidden + self.weight_ih.shape[1]

    def forward(
        self, x: Float[Tensor, "T B D"], state: State = (), noises: State = ()
    ) -> tuple[Float[Tensor, "T B H"], State]:
        """See `Cell`; by `lerp_scan`."""
        if not is_scannable(x, self.bias_ih.dtype):
            return super().forward(x, state, noises)
        (h_0,) = state or self.initial(x)
        is_positive = self.options.candidate == "positive"
        outputs, last = lerp_scan(x, self.weight_ih, self.bias_ih, h_0, is_positive=is_positive)
        return outputs, (last,)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Candidate, and the share of it in the new h."""
        raise NotImplementedError


class MinGRU(Lerp):
    """z = sigmoid(W x + b), h = (1 - z) * h' + z * g(W x + b); each with weights of its own.

    g(v) is v, or with `candidate=positive` v + 1/2 where v >= 0 and sigmoid(v) elsewhere.
    """

    num_blocks = 2

    def initialise(self, time_steps: int) -> None:
        """See `Cell`; z is the sigmoid of minus the forget bias."""
        super().initialise(time_steps)
        z, _ = self.bias_ih.detach().chunk(2)
        set_forget_bias_(z, self.options, time_steps)
        if self.options.forget_bias != "default":
            z.neg_()

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `Lerp`; the share is z."""
        x_z, n = x.chunk(2, dim=-1)
        return candidate(n, self.options), torch.sigmoid(x_z)


def candidate(n: Tensor, options: Options) -> Tensor:
    """g of the class above."""
    return n if options.candidate == "linear" else torch.where(n >= 0, n + 0.5, torch.sigmoid(n))


def set_forget_bias_(bias: Tensor, options: Options, time_steps: int) -> None:
    """Set the bias [H] of a forget gate as `forget_bias` says; "default" leaves it."""
    if options.forget_bias == "chrono":
        chrono_(bias, time_steps)
    elif options.forget_bias != "default":
        bias.fill_(float(options.forget_bias))


def build(shape: Shape, model: Options) -> Layers:
    """The recurrence of `MinGRU`."""
    return Recurrence(lambda size, hidden: MinGRU(size, hidden, model), shape, model)
