"""Any cell's step run over time, in layers and directions as torch's modules have them."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import Model

State = tuple[Tensor, ...]


class Shape(NamedTuple):
    """What a sequence of the task looks like."""

    time_steps: int
    input_size: int


class Cell(nn.Module):
    """One layer in one direction; a subclass writes `step`.

    Weights are stacked blocks of H rows, one for each quantity that they feed. The product with the
    input is made for all time steps at once, by `project`; `step` sees its share of it.
    """

    num_states = 1  # the first state is h, the output

    def __init__(self, input_size: int, hidden: int, *, blocks_x: int, blocks_h: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.weight_ih = nn.Parameter(torch.empty(blocks_x * hidden, input_size))
        if blocks_h:
            self.weight_hh = nn.Parameter(torch.empty(blocks_h * hidden, hidden))
        self.bias_ih = nn.Parameter(torch.empty(blocks_x * hidden))

    def initialise(self, time_steps: int) -> None:
        """Draw the weights: uniform within 1/sqrt(H), as torch does.

        Args:
            time_steps: length of the task's sequences, for cells whose biases go by it.
        """
        for weight in self.parameters():
            nn.init.uniform_(weight, -(self.hidden**-0.5), self.hidden**-0.5)

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B blocks_H"]:
        """What the input adds, at all time steps."""
        return F.linear(x, self.weight_ih, self.bias_ih)

    def noise(self, x: Float[Tensor, "T B D"]) -> State:
        """Random factors [T, B, H] of one pass, or their expectations outside training."""
        return ()

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """The next state, in tensor operations that ask for no value, so that vmap takes them.

        Args:
            x: one time step of `project`, [B, blocks * H].
            state: `num_states` tensors [B, H].
            noise: one time step of `noise`.
        """
        raise NotImplementedError

    def forward(
        self, x: Float[Tensor, "T B D"]
    ) -> tuple[Float[Tensor, "T B H"], Float[Tensor, "B H"]]:
        """Outputs and the last of them, from states of zero."""
        state = (x.new_zeros(x.shape[1], self.hidden),) * self.num_states
        outputs = []
        parts = (self.project(x), *self.noise(x))
        for x_t, *noise in zip(*(part.unbind(0) for part in parts), strict=True):
            state = self.step(x_t, state, *noise)
            outputs.append(state[0])
        return torch.stack(outputs), state[0]


class Recurrence(nn.Module):
    """Layers and directions of one kind of cell.

    Args:
        make: a cell of some input size and hidden size.
    """

    def __init__(self, make: Callable[[int, int], Cell], shape: Shape, model: Model) -> None:
        super().__init__()
        self.num_directions = 2 if model.bidirectional else 1
        self.dropout = model.dropout
        sizes = [shape.input_size] + [model.hidden * self.num_directions] * (model.layers - 1)
        self.cells = nn.ModuleList(
            make(size, model.hidden) for size in sizes for _ in range(self.num_directions)
        )
        for cell in self.cells:
            assert isinstance(cell, Cell)
            cell.initialise(shape.time_steps)

    def forward(
        self, x: Float[Tensor, "T B D"]
    ) -> tuple[Float[Tensor, "T B directions_H"], Float[Tensor, "layers_directions B H"]]:
        """Outputs of the last layer, and the last output of every cell."""
        states: list[Tensor] = []
        for first in range(0, len(self.cells), self.num_directions):
            if first:
                x = F.dropout(x, self.dropout, self.training)
            outputs, state = self.cells[first](x)
            states.append(state)
            if self.num_directions == 2:
                reverse, state = self.cells[first + 1](x.flip(0))
                outputs = torch.cat((outputs, reverse.flip(0)), dim=-1)
                states.append(state)
            x = outputs
        return x, torch.stack(states)
