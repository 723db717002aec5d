"""Runs cells over a sequence, in layers and directions, as torch's recurrent modules do."""

import functools
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Cell, Layers, Shape, State
from mnist_seq.models.counting import Counts
from mnist_seq.models.whole import WholeSequence

# One layer in one direction: (x [T, B, D], state or ()) -> outputs [T, B, H] and final state
Layer = Callable[[Tensor, State], tuple[Tensor, State]]


class Recurrence(Layers):
    """Layers and directions of one kind of cell.

    Args:
        make: (input size, hidden size) -> a new cell.
        shape: shape of the task's sequences.
        model: number of layers, hidden units and directions, and the dropout between layers.
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
        """Draw the dropout masks between layers, then the noises of each cell."""
        num_layers = len(self.cells) // self.num_directions
        last = self.cells[-1]
        assert isinstance(last, Cell)
        shape = (time_steps, batch_size, last.hidden * self.num_directions)
        like = next(last.parameters())
        masks = [
            dropout_mask(shape, self.dropout, like=like, generator=generator)
            for _ in range(num_layers - 1 if self.dropout else 0)
        ]
        for cell in self.cells:
            assert isinstance(cell, Cell)
            masks += cell.noises(time_steps, batch_size, generator)
        return tuple(masks)

    def last(self, outputs: Tensor, state: State) -> Float[Tensor, "B directions_H"]:
        """See `Layers`; read from the state where it holds the output: the gradient is smaller."""
        last = self.cells[-1]
        assert isinstance(last, Cell)
        if type(last).output is not Cell.output:
            return super().last(outputs, state)
        return last_of_states(state[0], self.num_directions)

    def step_cells(self) -> list[list[Cell]]:
        """See `Layers`; the cells themselves."""
        cells = [cell for cell in self.cells if isinstance(cell, Cell)]
        if any(isinstance(cell, WholeSequence) for cell in cells):
            return []
        size = self.num_directions
        return [cells[first : first + size] for first in range(0, len(cells), size)]

    def num_kept(self, time_steps: int) -> int:
        """See `Layers`; layers without a step included."""
        cells = (cell for cell in self.cells if isinstance(cell, Cell))
        return sum(cell.num_kept(time_steps) for cell in cells)

    def counts(self, shape: Shape) -> Counts:
        """See `Layers`; of layers without a step, what each time step takes in the mean."""
        found, size = super().counts(shape), shape.input_size
        for k, cell in enumerate(self.cells):
            if isinstance(cell, WholeSequence):
                if k >= self.num_directions:
                    size = cell.hidden * self.num_directions
                found = found.plus(cell.counts_over(Shape(shape.time_steps, size)))
        return found

    def forward(
        self, x: Float[Tensor, "T B D"], state: State | None = None, noises: State = ()
    ) -> tuple[Float[Tensor, "T B directions_H"], State]:
        """Outputs of the last layer, and the final states of all cells.

        Args:
            state: tensors [layers * directions, B, ...]; None or empty for the cells' `initial`.
            noises: what `noises` returned; empty for their expectations.
        """
        # every cell draws equally many, and there are fewer masks than cells: the rest is the masks
        num_masks = len(noises) % len(self.cells)
        each = len(noises) // len(self.cells)
        cells = [
            functools.partial(cell, noises=noises[num_masks + k * each :][:each])
            for k, cell in enumerate(self.cells)
        ]
        return in_layers(cells, self.num_directions, x, state or (), noises[:num_masks])


def in_layers(
    layers: Sequence[Layer], num_directions: int, x: Tensor, state: State, masks: State
) -> tuple[Float[Tensor, "T B directions_H"], State]:
    """Run layers and directions on each other's outputs, as torch's recurrent modules do.

    Args:
        layers: first layer forward, first layer backward (where there is one), second layer, ...
        state: tensors [layers * directions, B, ...] to start from; empty for first states.
        masks: dropout masks [T, B, directions * H] of all layers but the last; empty for none.

    Returns:
        Outputs of the last layer, and the final state in the form of `state`.
    """
    states = []
    for first in range(0, len(layers), num_directions):
        if first and masks:
            x = x * masks[first // num_directions - 1]
        outputs, new = layers[first](x, tuple(s[first] for s in state))
        states.append(new)
        if num_directions == 2:
            reverse, new = layers[first + 1](x.flip(0), tuple(s[first + 1] for s in state))
            outputs = torch.cat((outputs, reverse.flip(0)), dim=-1)
            states.append(new)
        x = outputs
    return x, tuple(torch.stack(each) for each in zip(*states, strict=True))


def last_of_states(h: Tensor, num_directions: int) -> Float[Tensor, "B directions_H"]:
    """The last layer's final h of each direction, from those [layers * directions, B, H] of all."""
    return h[-1] if num_directions == 1 else torch.cat((h[-2], h[-1]), dim=-1)


def dropout_mask(
    shape: tuple[int, ...], rate: float, *, like: Tensor, generator: torch.Generator | None
) -> Tensor:
    """A random mask: 0 with probability `rate`, else 1 / (1 - rate).

    The draws equal those of `F.dropout` on a CPU, so that a run has the numbers of `nn.LSTM` with
    dropout.

    Args:
        like: gives dtype and device.
    """
    keep = 1 - rate
    return like.new_empty(shape).bernoulli_(keep, generator=generator).div_(keep)
