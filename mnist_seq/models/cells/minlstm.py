"""minLSTM: an LSTM whose gates and candidate depend on x only.

Source: Feng et al. 2024, arXiv:2410.01201, section 3.2, the form whose gates sum to 1.
Differs: runs step by step, not as a parallel scan; the candidate is linear, the paper's first form.
"""

import torch
from torch import Tensor

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.recurrence import Recurrence


class MinLSTM(Cell):
    """h = (f * h' + i * (W x + b)) / (f + i), with f, i = sigmoid(W x + b); own weights."""

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden, blocks_x=3, blocks_h=0)

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h."""
        (h,) = state
        x_f, x_i, n = x.chunk(3, dim=-1)
        f, i = torch.sigmoid(x_f), torch.sigmoid(x_i)
        return (torch.lerp(h, n, i / (f + i)),)


def build(shape: Shape, model: Model) -> Layers:
    """The recurrence of `MinLSTM`."""
    return Recurrence(MinLSTM, shape, model)
