"""Any cell's step run over time, in layers and directions as torch's modules have them."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import Model

State = tuple[Tensor, ...]
# (x [T, B, D], state, empty where all is zero) -> outputs [T, B, H], final state
Layer = Callable[[Tensor, State], tuple[Tensor, State]]


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

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None = None
    ) -> State:
        """Random factors of one training pass, [T, B, ...] or, for a whole sequence, [1, B, ...].

        Without them a pass takes their expectations, as evaluation does.
        """
        return ()

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """The next state, in tensor operations that ask for no value, so that vmap takes them.

        Args:
            x: one time step of `project`, [B, blocks * H].
            state: `num_states` tensors [B, H].
            noise: one time step of `noises`, or none.
        """
        raise NotImplementedError

    def forward(
        self, x: Float[Tensor, "T B D"], state: State = (), noises: State = ()
    ) -> tuple[Float[Tensor, "T B H"], State]:
        """Outputs and the final state.

        Args:
            state: `num_states` tensors [B, H] to begin with; empty where all is zero.
        """
        state = state or (x.new_zeros(x.shape[1], self.hidden),) * self.num_states
        outputs = []
        parts = (self.project(x), *(noise.expand(len(x), -1, -1) for noise in noises))
        for x_t, *noise in zip(*(part.unbind(0) for part in parts), strict=True):
            state = self.step(x_t, state, *noise)
            outputs.append(state[0])
        return torch.stack(outputs), state


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

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None = None
    ) -> State:
        """Masks of the dropout between layers, then what each cell draws."""
        num_layers = len(self.cells) // self.num_directions
        last = self.cells[-1]
        assert isinstance(last, Cell)
        shape = (time_steps, batch_size, last.hidden * self.num_directions)
        masks = [
            dropout_mask(shape, self.dropout, like=last.bias_ih, generator=generator)
            for _ in range(num_layers - 1 if self.dropout else 0)
        ]
        for cell in self.cells:
            assert isinstance(cell, Cell)
            masks += cell.noises(time_steps, batch_size, generator)
        return tuple(masks)

    def forward(
        self, x: Float[Tensor, "T B D"], state: State | None = None, noises: State = ()
    ) -> tuple[Float[Tensor, "T B directions_H"], State]:
        """Outputs of the last layer, and the final states of all cells, [layers * directions, B, H]
        each."""
        num_masks = len(noises) % len(self.cells)  # all cells draw alike, and masks are fewer
        each = len(noises) // len(self.cells)
        cells = [
            functools.partial(cell, noises=noises[num_masks + k * each :][:each])
            for k, cell in enumerate(self.cells)
        ]
        return in_layers(cells, self.num_directions, x, state or (), noises[:num_masks])


def in_layers(
    cells: Sequence[Layer], num_directions: int, x: Tensor, state: State, masks: State
) -> tuple[Float[Tensor, "T B directions_H"], State]:
    """Layers and directions run as torch's modules do.

    Args:
        cells: layer by layer, its directions one after the other.
        state: tensors [layers * directions, B, H] to begin with; empty where all is zero.
        masks: what the outputs of each layer but the last are multiplied by; empty for nothing.
    """
    states = []
    for first in range(0, len(cells), num_directions):
        if first and masks:
            x = x * masks[first // num_directions - 1]
        outputs, new = cells[first](x, tuple(s[first] for s in state))
        states.append(new)
        if num_directions == 2:
            reverse, new = cells[first + 1](x.flip(0), tuple(s[first + 1] for s in state))
            outputs = torch.cat((outputs, reverse.flip(0)), dim=-1)
            states.append(new)
        x = outputs
    return x, tuple(torch.stack(each) for each in zip(*states, strict=True))


def dropout_mask(
    shape: tuple[int, ...], rate: float, *, like: Tensor, generator: torch.Generator | None
) -> Tensor:
    """0 in a share of `rate`, else 1 / (1 - rate); drawn as `F.dropout` draws on a CPU."""
    keep = 1 - rate
    return like.new_empty(shape).bernoulli_(keep, generator=generator).div_(keep)
