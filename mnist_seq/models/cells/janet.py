"""JANET ("just another network"): an LSTM that has the forget gate only.

Source: van der Westhuizen & Lasenby 2018, arXiv:1804.04849, with chrono biases.
Differs: biases are drawn from the seed of the run; the authors' code has one set for all seeds.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.initial import chrono_
from mnist_seq.models.recurrence import Recurrence


class JANET(Cell):
    """h = s(a) * h' + (1 - s(a - beta)) * tanh(W x + U h' + b), with a = W x + U h' + b.

    s is the sigmoid, ' marks the time step before. a and the candidate have weights of their own.
    """

    def __init__(self, input_size: int, hidden: int, beta: float) -> None:
        super().__init__(input_size, hidden, blocks_x=2, blocks_h=2)
        self.beta = beta

    def initialise(self, time_steps: int) -> None:
        """See `Cell`; the forget gate's bias is drawn by `chrono_`, the candidate's is 0."""
        super().initialise(time_steps)
        forget, candidate = self.bias_ih.detach().chunk(2)
        chrono_(forget, time_steps)
        candidate.zero_()

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """See `Cell`; returns h."""
        (h,) = state
        a, n = (x + F.linear(h, self.weight_hh)).chunk(2, dim=-1)
        return (torch.sigmoid(a) * h + (1 - torch.sigmoid(a - self.beta)) * torch.tanh(n),)


def build(shape: Shape, model: Model) -> Layers:
    """The recurrence of `JANET`."""
    beta = float(model.options()["beta"])
    return Recurrence(lambda size, hidden: JANET(size, hidden, beta), shape, model)
