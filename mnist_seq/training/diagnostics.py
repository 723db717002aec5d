"""How gradients and states fare along a sequence, on one batch, in evaluation mode.

Draws no random number and changes no weight: a run that is watched has the numbers of one that is
not.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from mnist_seq.config.reference import default_model
from mnist_seq.config.schema import GRU, LSTM
from mnist_seq.models import Classifier
from mnist_seq.models.cells.gru import GRUCell
from mnist_seq.models.cells.lstm import LSTMCell
from mnist_seq.models.recurrence import Cell, Recurrence, State
from mnist_seq.runs.events import Row

MOST_POINTS = 28  # time steps that are told of; a sequence of rows has as many
_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
SATURATED = 0.05  # a gate nearer than this to 0 or 1: its slope is below a fifth of the steepest


class _Elman(Cell):
    """`nn.RNN`'s step."""

    def __init__(self, input_size: int, hidden: int, *, is_relu: bool) -> None:
        super().__init__(input_size, hidden, blocks_x=1, blocks_h=1)
        self.bias_hh = nn.Parameter(torch.empty(hidden))
        self.is_relu = is_relu

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        a = x + F.linear(state[0], self.weight_hh, self.bias_hh)
        return (torch.relu(a) if self.is_relu else torch.tanh(a),)


class _Sigmoids(TorchFunctionMode):
    """Remembers what every sigmoid gives, as shares that are saturated.

    A `TorchDispatchMode`, which looks deeper, imports torch's compiler: seconds a run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shares: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in (torch.sigmoid, Tensor.sigmoid, Tensor.sigmoid_) and out.numel():
            self.shares.append(((out < SATURATED) | (out > 1 - SATURATED)).float().mean())
        return out


def diagnose(model: Classifier, x: Float[Tensor, "T B D"], y: Int64[Tensor, " B"]) -> Row:
    """What one batch tells of the last layer, in its forward direction.

    Returns:
        `gradient/t<time step>`: mean over the examples of the norm of d loss / d state, the states
        of a cell taken together, each example's loss by itself. `state/first`, `state/last`: mean
        norm of h. `gates/saturated`: share of gate values near 0 or 1, where the cell has gates.
    """
    with torch.enable_grad(), _evaluating(model):
        below, cell = _last_cell(model.rnn, x)
        states: list[State] = []
        with _Sigmoids() as sigmoids:
            state: State = (below.new_zeros(x.shape[1], cell.hidden),) * cell.num_states
            for x_t in cell.project(below).unbind(0):
                # cloned, so that c's gradient is that of the c handed on, without its own way to h
                state = tuple(s.clone() for s in cell.step(x_t, state))
                states.append(state)
        h = torch.stack([state[0] for state in states])
        num_read = len(h) if model.readout == "flat" else 1
        missing = model.head.in_features // num_read - cell.hidden  # the backward direction's share
        whole = F.pad(h, (0, missing))
        read = {"last": whole[-1:], "mean": whole.mean(dim=0, keepdim=True), "flat": whole}
        features = read[model.readout].transpose(0, 1).flatten(1)
        loss = F.cross_entropy(model.head(features), y, reduction="sum")
        flat = [tensor for state in states for tensor in state]
        found = torch.autograd.grad(loss, flat, allow_unused=True)
    gradients = [torch.zeros_like(a) if g is None else g for a, g in zip(flat, found, strict=True)]
    row: Row = {}
    points = torch.linspace(0, len(x) - 1, min(MOST_POINTS, len(x))).round().long().tolist()
    for t in points:
        of_t = torch.cat(gradients[t * cell.num_states : (t + 1) * cell.num_states], dim=-1)
        row[f"gradient/t{t:03d}"] = float(of_t.norm(dim=-1).mean())
    row["state/first"], row["state/last"] = _ends(h.detach())
    if sigmoids.shares:
        row["gates/saturated"] = float(torch.stack(sigmoids.shares).mean())
    return row


def _ends(h: Float[Tensor, "T B H"]) -> tuple[float, float]:
    first, last = (float(h[t].norm(dim=-1).mean()) for t in (0, -1))
    return first, last


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _last_cell(rnn: nn.Module, x: Tensor) -> tuple[Tensor, Cell]:
    """What enters the last layer, and its cell of the forward direction."""
    cells, num_directions = _cells(rnn)
    last = len(cells) - num_directions
    with torch.no_grad():
        for first in range(0, last, num_directions):
            outputs = [cells[first](x)[0]]
            if num_directions == 2:
                outputs.append(cells[first + 1](x.flip(0))[0].flip(0))
            x = torch.cat(outputs, dim=-1)
    return x, cells[last]


def _cells(rnn: nn.Module) -> tuple[list[Any], int]:
    """Cells of all layers and directions; where torch's kernel runs, ours with its weights."""
    if isinstance(rnn, Recurrence):
        return list(rnn.cells), rnn.num_directions
    assert isinstance(rnn, nn.RNNBase)
    twins: list[Any] = []
    for weights in rnn.all_weights:
        twin = _twin(rnn, next(iter(weights)).shape[1])
        for name, weight in zip(_NAMES, weights, strict=True):
            setattr(twin, name, weight)
        twins.append(twin)
    return twins, 2 if rnn.bidirectional else 1


def _twin(rnn: nn.RNNBase, input_size: int) -> Cell:
    if isinstance(rnn, nn.RNN):
        return _Elman(input_size, rnn.hidden_size, is_relu=rnn.nonlinearity == "relu")
    options = default_model("lstm" if isinstance(rnn, nn.LSTM) else "gru")
    if isinstance(options, LSTM):
        return LSTMCell(input_size, rnn.hidden_size, options)
    assert isinstance(options, GRU)
    return GRUCell(input_size, rnn.hidden_size, options)
