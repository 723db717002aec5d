"""Recurrent layers of unequal widths: those below the last have the sizes of `model.below`."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Cell, Layers, Shape, State, build_cell
from mnist_seq.models.counting import NOTHING, Counts
from mnist_seq.models.recurrence import dropout_mask


class Unequal(Layers):
    """One set of `Layers` for each layer, each reads the outputs of the one before.

    A state is a tuple with the state of each layer.

    Args:
        shape: shape of the task's sequences.
        model: `below` has the units of all layers but the last, which has `hidden`.
    """

    def __init__(self, shape: Shape, model: Model) -> None:
        super().__init__()
        self.dropout = model.dropout
        found, size = [], shape.input_size
        for hidden in (*model.below, model.hidden):
            one = {"below": (), "layers": 1, "dropout": 0.0, "hidden": hidden}
            found.append(build_cell(Shape(shape.time_steps, size), model.model_copy(update=one)))
            size = hidden * found[-1].num_directions
        self.num_directions = found[-1].num_directions
        self.widths = [hidden * self.num_directions for hidden in model.below]
        self.layers = nn.ModuleList(found)

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None = None
    ) -> State:
        """Draw the dropout masks between layers, then what each layer draws."""
        like = next(self.parameters())
        masks = tuple(
            dropout_mask((time_steps, batch_size, width), self.dropout,
                         like=like, generator=generator)
            for width in self.widths
            if self.dropout
        )  # fmt: skip
        drawn = (each.noises(time_steps, batch_size, generator) for each in self._each())
        return sum(drawn, masks)

    def last(self, outputs: Tensor, state: Any) -> Float[Tensor, "B directions_H"]:
        """See `Layers`; of the last layer."""
        return self._each()[-1].last(outputs, state[-1])

    def step_cells(self) -> list[list[Cell]]:
        """See `Layers`; empty where a layer has no step."""
        return [cells for each in self._each() for cells in each.step_cells()]

    def num_kept(self, time_steps: int) -> int:
        """See `Layers`."""
        return sum(each.num_kept(time_steps) for each in self._each())

    def counts(self, shape: Shape) -> Counts:
        """See `Layers`."""
        found = NOTHING
        for each, width in zip(self._each(), (*self.widths, 0), strict=True):
            found, shape = found.plus(each.counts(shape)), shape._replace(input_size=width)
        return found

    def forward(
        self, x: Float[Tensor, "T B D"], state: Any = None, noises: State = ()
    ) -> tuple[Float[Tensor, "T B directions_H"], Any]:
        """See `Layers`."""
        num_masks = len(self.widths) if self.dropout and noises else 0
        masks, rest = noises[:num_masks], noises[num_masks:]
        each, states = len(rest) // len(self.layers), []  # all layers draw equally many
        for k, layer in enumerate(self._each()):
            x = x * masks[k - 1] if k and masks else x
            given = state[k] if state else None
            x, new = layer(x, given, rest[k * each : (k + 1) * each])
            states.append(new)
        return x, tuple(states)

    def _each(self) -> list[Layers]:
        return [layer for layer in self.layers if isinstance(layer, Layers)]
