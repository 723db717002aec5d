"""Just another net: an LSTM that keeps the forget gate alone.

Source: van der Westhuizen & Lasenby 2018, arXiv:1804.04849, with chrono biases.
Differs: the biases are drawn from the run's own seed; the authors' code has one set for all seeds.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import Model
from mnist_seq.models.initial import chrono_
from mnist_seq.models.recurrence import Cell, Recurrence, Shape, State


class JANET(Cell):
    """h = s(a) * h' + (1 - s(a - beta)) * tanh(W x + U h' + b), with a = W x + U h' + b."""

    def __init__(self, input_size: int, hidden: int, beta: float) -> None:
        super().__init__(input_size, hidden, blocks_x=2, blocks_h=2)
        self.beta = beta

    def initialise(self, time_steps: int) -> None:
        """Draw the weights; the forget gate's bias as chrono says, the other 0."""
        super().initialise(time_steps)
        forget, candidate = self.bias_ih.detach().chunk(2)
        chrono_(forget, time_steps)
        candidate.zero_()

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """The next h."""
        (h,) = state
        a, n = (x + F.linear(h, self.weight_hh)).chunk(2, dim=-1)
        return (torch.sigmoid(a) * h + (1 - torch.sigmoid(a - self.beta)) * torch.tanh(n),)


def build(shape: Shape, model: Model) -> nn.Module:
    """The recurrence of `JANET`."""
    beta = float(model.options()["beta"])
    return Recurrence(lambda size, hidden: JANET(size, hidden, beta), shape, model)
