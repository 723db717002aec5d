"""Recurrent cells: the contract that a cell fulfils, and the search for a cell by its name.

A cell is one YAML and one file of the same name; nothing else is edited:

    conf/model/<name>.yaml             its settings, on top of `/base/model@_here_`
    mnist_seq/models/cells/<name>.py   its code, with a function `build(shape, model) -> Layers`

`build` usually returns `Recurrence(make, shape, model)` around a subclass of `Cell` that writes
`step`. It may return another `Layers` instead, such as `nn.LSTM` with a faster training pass
(`models.kernels.scan.Scanned`).

Life cycle of a `Cell`
    1. `__init__(input_size, hidden)` declares the weights, unfilled and on the CPU.
    2. `initialise(time_steps)` fills them, once, from torch's global generator. The caller has
       seeded that generator with the seed of the run; `initialise` uses no other source of chance.
    3. `parameter_groups()` names weights with a learning rate of their own, or without decay.
    4. `noises(time_steps, batch_size, generator)` draws all random factors of one training pass,
       before the pass. Evaluation does not call it.
    5. `project(x)` applies the input weights to all time steps at once.
    6. `initial(x)` gives the first state, where none is given.
    7. `step(x_t, state, *noise_t)` is called T times, and after each `output(x_t, state)`.
    Steps 4 to 7 repeat for every batch.

What a cell must keep to (`tests/contracts/test_cells.py` checks each cell of `conf/model/`)
    - A state is a tuple of tensors [B, ...] of any shapes, such as a matrix for each head. The
      first tensor is the output h, [B, H], unless the cell overrides `output`.
    - Weights and states are real. A complex number is a pair of real ones; complex tensors live
      inside a method only. Optimizers, clipping, checkpoints and stacks know real weights alone.
    - The output at time step t depends on the inputs up to t alone, and an example's output on that
      example alone.
    - No branch on values. Several runs are trained as one program by `torch.func.vmap`, which
      cannot follow `if h.norm() > 1`, `.item()` or a random draw inside `step`. Use `torch.where`
      and `noises`. A cell that breaks this rule trains alone, and a stack refuses it by name.
    - New tensors take dtype and device from a weight or an input (`x.new_zeros`).
    - `step` changes no argument in place.

What may raise
    Settings that do not go together are refused before anything is written, by `problem()` of the
    cell's class in `config.schema`; a cell without such a class gets its types from its YAML. An
    error in `build`, `initialise` or `step` fails the run: its traceback goes to `error.txt`, and
    the sweep goes on.

What it costs
    `counts` runs one step on the device `meta` and counts its products; layers without `step_cells`
    write `Layers.counts`. A cell with a large state says in `num_kept` what training keeps of it.

A layer without a step
    Attention and convolutions read the whole sequence at once, and serve as controls. Such a layer
    is a `models.whole.WholeSequence`, and all of the above holds for it but the state, which is ().
    `training.tbptt` and `training.diagnostics=gradients` need one, and are refused.

A faster form beside the step
    A cell may override `scan`, which runs all time steps (`models.kernels.diagonal` has one for
    cells that are linear in their state). A `Scanned`, a module of torch, has a `scan` of a whole
    layer, and names the `Cell` whose step it replaces, `step_cell`. The faster form must equal the
    step to 1e-10 in float64: outputs, final state and every gradient, from a given state too, for
    any number of time steps, alone and in a stack. Weights keep their names and shapes.
"""

import importlib
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import Model
from mnist_seq.models.counting import NOTHING, Counts, multiply_adds
from mnist_seq.models.initial import with_biases
from mnist_seq.models.kernels.exporting import first_state, is_traced
from mnist_seq.models.parameter_groups import ParameterGroup

State = tuple[Tensor, ...]


class Shape(NamedTuple):
    """Shape of one input sequence: T time steps of D values."""

    time_steps: int
    input_size: int


class Cell(nn.Module):
    """One layer in one direction; a subclass writes `step`.

    Each weight is a stack of blocks of H rows, one block for each quantity that the cell computes
    (a gate, a candidate). The cell's file fixes the order of the blocks.

    Args:
        input_size: D, the number of values of one time step.
        hidden: H, the number of units.
        blocks_x: blocks that see the input: `weight_ih` [blocks_x * H, D] and `bias_ih`; 0 for no
            such weights, where `project` passes x on as it is.
        blocks_h: blocks that see h: `weight_hh` [blocks_h * H, H]; 0 for no such weight.
    """

    num_states = 1  # tensors in a state
    # Time steps that `forward` runs at a time on a CPU, 0 for all: what a scan keeps of 112 stays
    # in the caches, which takes 0.55 to 0.85 of the time of 784 at once
    steps_at_once = 0
    num_parts = 1  # of what `num_kept` counts; an evaluation holds one at a time

    def __init__(self, input_size: int, hidden: int, *, blocks_x: int, blocks_h: int) -> None:
        super().__init__()
        self.hidden, self.blocks_x = hidden, blocks_x
        if blocks_x:
            self.weight_ih = nn.Parameter(torch.empty(blocks_x * hidden, input_size))
        if blocks_h:
            self.weight_hh = nn.Parameter(torch.empty(blocks_h * hidden, hidden))
        if blocks_x:
            self.bias_ih = nn.Parameter(torch.empty(blocks_x * hidden))

    def initialise(self, time_steps: int) -> None:
        """Draw every weight from U[-1/sqrt(H), 1/sqrt(H)], as torch's recurrent modules do.

        Args:
            time_steps: T of the task, for cells whose initial biases depend on it.
        """
        for weight in self.parameters():
            nn.init.uniform_(weight, -(self.hidden**-0.5), self.hidden**-0.5)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Weights with a learning rate of their own, or without weight decay; none by default."""
        return []

    def project(self, x: Float[Tensor, "T B D"]) -> Float[Tensor, "T B blocks_H"]:
        """The input's contribution to every block, W x + b, for all time steps at once."""
        return F.linear(x, self.weight_ih, self.bias_ih) if self.blocks_x else x

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None = None
    ) -> State:
        """Draw the random factors of one training pass; none unless a subclass has some.

        A pass without noises uses their expectations instead; evaluation does that.

        Args:
            generator: on the device of the weights; None is torch's global generator.

        Returns:
            Tensors [T, B, ...], or [1, B, ...] for one draw that holds for the whole sequence.
        """
        return ()

    def initial(self, x: Float[Tensor, "T B ..."]) -> State:
        """The state before the first time step: `num_states` tensors [B, H] of zeros.

        Args:
            x: `project`'s result; gives the batch size, dtype and device.
        """
        return (x.new_zeros(x.shape[1], self.hidden),) * self.num_states

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """The state after one time step. No branch on values: see the module's docstring.

        Args:
            x: `project`'s result at this time step, [B, blocks_x * H].
            state: the state before this time step, in the form of `initial`.
            noise: `noises` at this time step, without the axis T; none in evaluation.

        Returns:
            The new state, in the same form.
        """
        raise NotImplementedError

    def output(self, x: Tensor, state: State) -> Float[Tensor, "B H"]:
        """The output at one time step: the first tensor of the state unless a subclass has another.

        Args:
            x: `project`'s result at this time step.
            state: the state after this time step.
        """
        return state[0]

    def scan(
        self, x: Float[Tensor, "T B ..."], state: State, noises: State = ()
    ) -> tuple[Float[Tensor, "T B H"], State]:
        """Run `step` and `output` for all time steps; a subclass may do the same in a faster form.

        Args:
            x: `project`'s result.
            state: the state to start from, in the form of `initial`.
            noises: what `noises` returned; empty for their expectations.

        Returns:
            The outputs, and the final state.
        """
        outputs = []
        parts = (x, *(noise.expand(len(x), -1, -1) for noise in noises))
        for x_t, *noise in zip(*(part.unbind(0) for part in parts), strict=True):
            state = self.step(x_t, state, *noise)
            outputs.append(self.output(x_t, state))
        return torch.stack(outputs), state

    def num_kept(self, time_steps: int) -> int:
        """Numbers that a time step of an example keeps for the backward pass, to a factor of 3."""
        return self.hidden * (1 + self.blocks_x)

    def counts(self, input_size: int) -> Counts:
        """Numbers in the state, and products of one time step, counted on `step` itself."""
        x = next(self.parameters()).new_zeros(1, 1, input_size)

        def one_step(x: Tensor) -> None:
            projected = self.project(x)
            state = self.initial(projected)  # made unequal: products with equal ones count once
            Cell.scan(self, projected, tuple(each + k for k, each in enumerate(state)))

        with torch.no_grad():
            state = self.initial(self.project(x))
        return Counts(sum(each.numel() for each in state), multiply_adds(one_step, x))

    def forward(
        self, x: Float[Tensor, "T B D"], state: State = (), noises: State = ()
    ) -> tuple[Float[Tensor, "T B H"], State]:
        """Outputs at all time steps, and the final state.

        Args:
            state: the state to start from, in the form of `initial`; empty for that of `initial`.
            noises: what `noises` returned; empty for their expectations.
        """
        is_split = x.device.type == "cpu" and not noises and not is_traced()
        size = self.steps_at_once if is_split else 0
        outputs = []
        for part in torch.split(x, size) if size else (x,):
            projected = self.project(part)
            y, state = self.scan(projected, state or first_state(self.initial, projected), noises)
            outputs.append(y)
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs), state


class Layers(nn.Module):
    """The recurrent layers of a classifier, all directions included; `build` returns them.

    `forward(x, state, noises)` takes x [T, B, D], a state or None for zeros, and what `noises`
    returned or () for none. It returns the last layer's outputs [T, B, directions * H] and the
    final state. A state is one tensor [layers * directions, B, ...], or a tuple of such tensors;
    that of `models.blocks` is a tuple of such states.
    """

    num_directions = 1

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None = None
    ) -> State:
        """Draw the random factors of one training pass, as `Cell.noises` does."""
        raise NotImplementedError

    def last(self, outputs: Tensor, state: Any) -> Float[Tensor, "B directions_H"]:
        """The output of each direction after the whole sequence.

        That of the backward direction is `outputs[0]`: at `outputs[-1]` it has read one time step.
        """
        if self.num_directions == 1:
            return outputs[-1]
        forward, backward = outputs.chunk(2, dim=-1)
        return torch.cat((forward[-1], backward[0]), dim=-1)

    def step_cells(self) -> list[list[Cell]]:
        """The cells that have these layers' weights and steps: for each layer, its directions.

        They show what a faster form hides, such as the state and the gates at each time step.
        Empty for layers without a step.
        """
        raise NotImplementedError

    def num_kept(self, time_steps: int) -> int:
        """See `Cell`; of all layers and directions."""
        return sum(cell.num_kept(time_steps) for each in self.step_cells() for cell in each)

    def counts(self, shape: Shape) -> Counts:
        """The sum of the `counts` of `step_cells`, where the first layer reads this shape."""
        found, size = NOTHING, shape.input_size
        for cells in self.step_cells():
            found = found.plus(*(cell.counts(size) for cell in cells))
            size = sum(cell.hidden for cell in cells)
        return found


def build_cell(shape: Shape, model: Model) -> Layers:
    """Freshly initialised recurrent layers of the cell that `model.name` names, on the CPU.

    Raises:
        ModuleNotFoundError: no file of this folder has that name.
    """
    module = importlib.import_module(f"mnist_seq.models.cells.{model.name}")
    layers = module.build(shape, model)
    assert isinstance(layers, Layers), f"{model.name}.build returned {type(layers).__name__}"
    return with_biases(layers, model)


def torch_options(model: Model) -> dict[str, int | float | bool]:
    """Arguments of `nn.LSTM`, `nn.GRU` and `nn.RNN`, from the settings that all cells share."""
    return {
        "hidden_size": model.hidden,
        "num_layers": model.layers,
        "bidirectional": model.bidirectional,
        # torch applies dropout between layers only, and warns where there is one layer
        "dropout": model.dropout if model.layers > 1 else 0.0,
    }
