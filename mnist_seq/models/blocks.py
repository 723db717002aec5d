"""Residual blocks around recurrent layers: any cell can have what modern ones are published with.

`model.block=residual` builds, for any cell: an encoder from the input to H values, then for each
layer a block x + cell(norm(x)), then a last norm. Each block may have a short causal convolution
before the cell and a gate (`glu`) or a second residual branch (`mlp`) behind it.

Source: the blocks of S5 (Smith et al. 2023, arXiv:2208.04933), S4D (arXiv:2206.11893) and the LRU
(arXiv:2303.06349) for `glu`; of Griffin (De et al. 2024, arXiv:2402.19427) for `mlp` and `conv`.
Differs: the norm is before the cell always, and no batch norm, with which an example would see its
batch. Two directions are joined by a linear layer.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Cell, Layers, Shape, State, build_cell
from mnist_seq.models.counting import Counts, multiply_adds
from mnist_seq.models.kernels.exporting import RMSNorm, zeros_before
from mnist_seq.models.recurrence import dropout_mask
from mnist_seq.models.unequal import Unequal

EPS = 1e-5  # of both norms, as in S5 and Mamba
MLP_FACTOR = 3  # inner width of `after=mlp` in widths of the block, as in Griffin


def build_layers(shape: Shape, model: Model) -> Layers:
    """Freshly initialised recurrent layers on the CPU, in blocks where `model.block` says so."""
    if model.block != "none":
        return Blocks(shape, model)
    return Unequal(shape, model) if model.below else build_cell(shape, model)


class Blocks(Layers):
    """An encoder, residual blocks with one recurrent layer each, and a norm.

    A state is a tuple with the state of each block. The outputs are H wide, for two directions too.
    """

    def __init__(self, shape: Shape, model: Model) -> None:
        super().__init__()
        inner = model.model_copy(update={"block": "none", "layers": 1, "dropout": 0.0})
        width = Shape(shape.time_steps, model.hidden)
        self.encoder = nn.Linear(shape.input_size, model.hidden)
        self.blocks = nn.ModuleList(
            Block(build_cell(width, inner), model) for _ in range(model.layers)
        )
        self.norm = _norm(model)

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None = None
    ) -> State:
        """Draw, for each block, what its cell draws, and then its dropout masks."""
        return tuple(
            noise
            for block in self._blocks()
            for noise in block.noises(time_steps, batch_size, generator)
        )

    def step_cells(self) -> list[list[Cell]]:
        """See `Layers`; their inputs and outputs pass through the rest of their blocks."""
        return [cells for block in self._blocks() for cells in block.cell.step_cells()]

    def num_kept(self, time_steps: int) -> int:
        """See `Layers`; the last norm keeps its inputs."""
        of_blocks = sum(block.num_kept(time_steps) for block in self._blocks())
        return of_blocks + self.encoder.out_features

    def counts(self, shape: Shape) -> Counts:
        """See `Layers`; the encoder and all parts of the blocks are counted too."""
        x = self.encoder.weight.new_zeros(1, 1, shape.input_size)
        width = shape._replace(input_size=self.encoder.out_features)
        return Counts(0, multiply_adds(self.encoder, x)).plus(
            *(block.counts(width) for block in self._blocks())
        )

    def forward(
        self, x: Float[Tensor, "T B D"], state: Any = None, noises: State = ()
    ) -> tuple[Float[Tensor, "T B H"], Any]:
        """See `Layers`."""
        blocks = self._blocks()
        each = len(noises) // len(blocks)  # all blocks draw equally many
        x, states = self.encoder(x), []
        for k, block in enumerate(blocks):
            given = None if not state else state[k]
            x, new = block(x, given, noises[k * each : (k + 1) * each])
            states.append(new)
        return self.norm(x), tuple(states)

    def at_last_cell(
        self, x: Float[Tensor, "T B D"]
    ) -> tuple[Tensor, Callable[[Tensor], Float[Tensor, "T B H"]]]:
        """What the last block's cell reads, and a function from its outputs to those of `forward`.

        For diagnostics: in evaluation, from the first state.
        """
        *below, last = self._blocks()
        x = self.encoder(x)
        for block in below:
            x, _ = block(x, None, ())
        inputs, _ = last.before_cell(x, None)
        return inputs, lambda outputs: self.norm(last.behind_cell(x, outputs, ()))

    def _blocks(self) -> list["Block"]:
        return [block for block in self.blocks if isinstance(block, Block)]


class Block(nn.Module):
    """x + f(norm(x)): f is a convolution if any, a recurrent layer `cell`, and what follows it.

    Args:
        cell: one recurrent layer from H to H values; 2 H with two directions.
    """

    def __init__(self, cell: Layers, model: Model) -> None:
        super().__init__()
        hidden, self.dropout, self.after = model.hidden, model.dropout, model.after
        self.hidden = hidden
        self.norm = _norm(model)
        self.conv = CausalConv(hidden, model.conv) if model.conv else None
        self.cell = cell
        self.join = nn.Linear(2 * hidden, hidden) if model.bidirectional else None
        self.glu = nn.Linear(hidden, 2 * hidden) if model.after == "glu" else None
        self.mlp_norm, self.up, self.down = None, None, None
        if model.after == "mlp":
            self.mlp_norm = _norm(model)
            self.up = nn.Linear(hidden, 2 * MLP_FACTOR * hidden)
            self.down = nn.Linear(MLP_FACTOR * hidden, hidden)

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None
    ) -> list[Tensor]:
        """The cell's, then the masks [1, B, H] of the dropout, the same at all time steps."""
        drawn = list(self.cell.noises(time_steps, batch_size, generator))
        like = next(self.parameters())
        shape = (1, batch_size, like.shape[0])
        return drawn + [
            dropout_mask(shape, self.dropout, like=like, generator=generator)
            for _ in range(self._num_masks)
        ]

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`; inputs and outputs of the norm, and what each part keeps, in widths."""
        parts = {
            2: True,
            1: self.conv is not None,
            3: self.join is not None,  # both directions, and their sum
            4: self.glu is not None,
            14: self.mlp_norm is not None,
        }
        widths = sum(width for width, is_there in parts.items() if is_there)
        return widths * self.hidden + self.cell.num_kept(time_steps)

    def counts(self, shape: Shape) -> Counts:
        """See `Layers`; the convolution carries its last inputs on."""
        x = next(self.parameters()).new_zeros(1, 1, shape.input_size)
        outputs = x.repeat(1, 1, self.cell.num_directions)
        window = (len(self.conv.weight) - 1) * shape.input_size if self.conv else 0
        around = Counts(
            window,
            multiply_adds(lambda x: self.before_cell(x, None), x)
            + multiply_adds(lambda x, y: self.behind_cell(x, y, ()), x, outputs),
        )
        return around.plus(self.cell.counts(shape))

    @property
    def _num_masks(self) -> int:
        return 0 if not self.dropout else 1 if self.after == "none" else 2

    def forward(
        self, x: Float[Tensor, "T B H"], state: Any, noises: State
    ) -> tuple[Float[Tensor, "T B H"], Any]:
        """Outputs and final state: the cell's, and the convolution's last inputs."""
        num_of_cell = max(0, len(noises) - self._num_masks)
        of_cell, window = (None, None) if state is None else state
        inputs, window = self.before_cell(x, window)
        outputs, of_cell = self.cell(inputs, of_cell, noises[:num_of_cell])
        return self.behind_cell(x, outputs, noises[num_of_cell:]), (of_cell, window)

    def before_cell(self, x: Tensor, window: Any) -> tuple[Tensor, Any]:
        """What the cell reads, and the convolution's last inputs; () without a convolution."""
        x = self.norm(x)
        return (x, ()) if self.conv is None else self.conv(x, window)

    def behind_cell(self, x: Tensor, outputs: Tensor, masks: State) -> Tensor:
        """The block's outputs from its inputs and the cell's outputs."""
        first, second = masks[0] if masks else None, masks[1] if len(masks) > 1 else None
        y = outputs if self.join is None else self.join(outputs)
        if self.glu is not None:
            y = F.glu(self.glu(_masked(F.gelu(y), first)), dim=-1)
            return x + _masked(y, second)
        x = x + _masked(y, first)
        if self.mlp_norm is None or self.up is None or self.down is None:
            return x
        gate, value = self.up(self.mlp_norm(x)).chunk(2, dim=-1)
        return x + _masked(self.down(F.gelu(gate) * value), second)


class CausalConv(nn.Module):
    """A convolution over time for each unit by itself, of this and the last width - 1 time steps.

    Weights and bias start as those of `nn.Conv1d` with groups=H.
    """

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, 1, 1, hidden))  # the last row is the present
        self.bias = nn.Parameter(torch.empty(hidden))
        for weight in self.parameters():
            nn.init.uniform_(weight, -(width**-0.5), width**-0.5)

    def forward(
        self, x: Float[Tensor, "T B H"], window: Tensor | None
    ) -> tuple[Float[Tensor, "T B H"], Tensor]:
        """Outputs, and the last width - 1 inputs.

        Args:
            window: the width - 1 inputs before x; None for zeros.
        """
        missing = len(self.weight) - 1
        if window is None:
            window = zeros_before(x, missing)
        seen = torch.cat((window, x))
        y = self.bias.expand_as(x)
        for k, weight in enumerate(self.weight.unbind(0)):
            y = torch.addcmul(y, weight, seen.narrow(0, k, len(x)))
        return y, seen.narrow(0, len(x), missing)


def _norm(model: Model) -> nn.Module:
    size = model.hidden
    return nn.LayerNorm(size, EPS) if model.norm == "layer" else RMSNorm(size, EPS)


def _masked(x: Tensor, mask: Tensor | None) -> Tensor:
    return x if mask is None else x * mask
