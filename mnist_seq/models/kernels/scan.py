"""Runs a recurrent layer over a whole sequence with a hand-written backward pass, a "scan".

Two uses:
- One run on a CPU. There torch's own GRU and RNN record every operation of every time step in
  autograd's graph, and a scan is faster.
- A stack: R runs as one program under `torch.func.vmap`, on any device. vmap has no rule for
  torch's recurrent kernels. The tensors of the scan then have a leading axis R.

Weights, their names and their initial values are those of `torch.nn`. Everywhere else torch's own
forward pass runs.
"""

import functools
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mnist_seq.models.cells import Cell, Layers, State
from mnist_seq.models.kernels.exporting import is_traced
from mnist_seq.models.recurrence import Layer, dropout_mask, in_layers, last_of_states

# The backward pass works on this many bytes of gate gradients at a time, so that they and their
# inputs stay in a core's L2 cache. Measured at hidden 64, batch 64, 2 MiB of L2: 1.55 ms with this
# value (8 time steps at a time), 1.89 ms with 2 time steps, 1.65 ms with all 28.
CHUNK_BYTES = 2**19


_NAMES = (
    "weight_ih",
    "weight_hh",
    "bias_ih",
    "bias_hh",
)  # as in `nn.RNNBase.all_weights`


class Products(NamedTuple):
    """Matrix products of one run, or batched ones of R runs. Names and arguments as in torch."""

    mm: Callable[..., Tensor]
    addmm: Callable[..., Tensor]
    addmm_: Callable[..., Tensor]


_ALONE = Products(torch.mm, torch.addmm, torch.Tensor.addmm_)
_STACKED = Products(torch.bmm, torch.baddbmm, torch.Tensor.baddbmm_)


def products(weight: Tensor) -> Products:
    """The products that fit a weight [out, in] of one run, or [R, out, in] of a stack."""
    return _ALONE if weight.dim() == 2 else _STACKED


def steps_at_a_time(gates: Tensor) -> int:
    """Number of time steps that the backward pass works on at a time.

    All of them on a GPU, where every kernel launch costs time.

    Args:
        gates: the gates of one time step.
    """
    if gates.device.type != "cpu":
        return sys.maxsize
    return max(1, CHUNK_BYTES // (gates.numel() * gates.element_size()))


def in_parts(*tensors: Tensor, axis: int = -3) -> Iterator[tuple[Tensor, ...]]:
    """Tensors [T, B, ...] in parts of a few time steps, by the size of the first.

    Args:
        axis: of the time steps.
    """
    size = min(steps_at_a_time(tensors[0].select(axis, 0)), tensors[0].shape[axis])
    parts = (torch.split(each, size, dim=axis) for each in tensors)
    return zip(*parts, strict=True)


def before_each(h: Tensor, h_0: Tensor, part: Tensor, first: int, axis: int = -3) -> Tensor:
    """A copy of the states before the time steps of a part.

    Args:
        h: the states after all time steps.
        h_0: the one before the first.
        part: those after the time steps of the part.
        first: the first time step of the part.
        axis: of the time steps.
    """
    before, later = torch.empty_like(part), part.shape[axis] - 1
    before.select(axis, 0).copy_(h.select(axis, first - 1) if first else h_0)
    before.narrow(axis, 1, later).copy_(part.narrow(axis, 0, later))
    return before


def is_stacked() -> bool:
    """Whether the call is inside `torch.func.vmap`, which runs the runs of a stack at once."""
    return torch._C._are_functorch_transforms_active()


def is_scannable(x: object, dtype: torch.dtype) -> bool:
    """Whether a scan can take this input: on any device in a stack, otherwise on a CPU only.

    Not where `is_traced`: there the step runs.

    Args:
        x: input of the layer; a scan takes a tensor [T, B, D] of float32 or float64.
        dtype: of the weights; it must be that of x.
    """
    return (
        isinstance(x, Tensor)
        and not is_traced()
        and (is_stacked() or (x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")))
        and x.dtype in (torch.float32, torch.float64)
        and x.dtype == dtype
        and x.dim() == 3
        and x.numel() > 0
    )


def run_scan(scan: type[torch.autograd.Function], *operands: Any) -> tuple[Tensor, ...]:
    """Outputs [T, B, H] and final states [B, H] of a scan, for one run or inside vmap.

    Args:
        scan: a function whose tensors may all have a leading axis R.
        operands: arguments of `scan.forward`: tensors, None, and settings that all runs share.
    """
    if is_stacked():
        operands = (scan, *operands)
        scan = _Stack
    found: tuple[Tensor, ...] = scan.apply(*operands)  # type: ignore[no-untyped-call]
    return found


class _Stack(torch.autograd.Function):
    """The rule of vmap for a scan: give every tensor a leading axis R, and call the scan once."""

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Save nothing: `vmap` below calls the scan, which has a backward pass of its own."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], scan: Any, *operands: Any) -> Any:
        """Call the scan on R runs. A tensor that all runs share is expanded, without a copy."""
        stacked = [
            value
            if not isinstance(value, Tensor)
            else value.expand(info.batch_size, *value.shape)
            if dim is None
            else value.movedim(dim, 0)
            for value, dim in zip(operands, in_dims[1:], strict=True)
        ]
        found = scan.apply(*stacked)
        return found, (0,) * len(found)


class Scanned(Layers, nn.RNNBase):
    """Mix-in for `nn.LSTM`, `nn.GRU` and `nn.RNN`: uses a scan where it is faster, and in a stack.

    A subclass names this class before torch's (`class ScanGRU(Scanned, nn.GRU)`) and writes `scan`
    and `step_cell`.
    """

    num_states = 1  # 2 for an LSTM: h and c

    def trains_by_scan(self, x: Tensor) -> bool:
        """Whether the scan is faster than torch's kernel for one run on a CPU."""
        return True

    def scan(self, x: Tensor, state: State, weights: Sequence[Tensor]) -> tuple[Tensor, State]:
        """Run one layer in one direction.

        Args:
            x: [T, B, D].
            state: `num_states` tensors [B, H] to start from; empty for zeros.
            weights: w_ih, w_hh, b_ih and b_hh, as torch names them.

        Returns:
            Outputs [T, B, H] and the final state.
        """
        raise NotImplementedError

    @property
    def num_directions(self) -> int:  # type: ignore[override]
        """1, or 2 with a backward direction."""
        return 2 if self.bidirectional else 1

    def last(self, outputs: Tensor, state: Any) -> Tensor:
        """See `Layers`; from the final h."""
        h = state[0] if isinstance(state, tuple) else state
        return last_of_states(h, self.num_directions)

    def step_cell(self, input_size: int) -> Cell:
        """A cell with the step of this module, of one layer in one direction.

        Its weights have torch's names without `_l0`; `step_cells` fills them in.
        """
        raise NotImplementedError

    def step_cells(self) -> list[list[Cell]]:
        """See `Layers`; the cells share their weights with this module."""
        cells = []
        for weights in self.all_weights:
            with torch.device("meta"):  # its own weights are not used
                cell = self.step_cell(next(iter(weights)).shape[1])
            for name, weight in zip(_NAMES, weights, strict=True):
                if not isinstance(weight, nn.Parameter):  # see `initial.with_biases`
                    delattr(cell, name)
                    cell.register_buffer(name, None)
                setattr(cell, name, weight)
            cells.append(cell)
        size = 2 if self.bidirectional else 1
        return [cells[first : first + size] for first in range(0, len(cells), size)]

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None = None
    ) -> State:
        """Draw the dropout masks between layers."""
        shape = (time_steps, batch_size, self.hidden_size * (2 if self.bidirectional else 1))
        like = next(self.parameters())
        return tuple(
            dropout_mask(shape, self.dropout, like=like, generator=generator)
            for _ in range(self.num_layers - 1 if self.dropout else 0)
        )

    def forward(self, input: Any, hx: Any = None, noises: State = ()) -> Any:
        """As torch's module, but dropout comes from `noises` alone: no noises, no dropout."""
        run: Callable[..., tuple[Tensor, State]]
        if self._is_scanned(input):
            run = self.scan
        elif noises or (self.dropout and self.training):
            run = self._by_torch
        else:
            return super().forward(input, hx)
        cells: list[Layer] = [
            functools.partial(run, weights=weights) for weights in self.all_weights
        ]
        state = () if hx is None else hx if isinstance(hx, tuple) else (hx,)
        outputs, new = in_layers(cells, 2 if self.bidirectional else 1, input, state, noises)
        return outputs, new if self.num_states > 1 else new[0]

    def _is_scanned(self, x: Any) -> bool:
        return (
            (is_stacked() or (self.training and torch.is_grad_enabled()))
            and is_scannable(x, next(self.parameters()).dtype)
            and (is_stacked() or self.trains_by_scan(x))
            and self.bias
            and not self.batch_first
        )

    def _by_torch(self, x: Tensor, state: State, weights: Sequence[Tensor]) -> tuple[Tensor, State]:
        """As `scan`, with torch's kernel."""
        zeros = (x.new_zeros(1, x.shape[1], self.hidden_size),) * self.num_states
        given = tuple(s.unsqueeze(0) for s in state) or zeros
        hx = given if self.num_states > 1 else given[0]
        kernel = getattr(torch, self.mode.lower())
        # cuDNN warns that it copies the weights: it packed those of all layers, and this is one
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="RNN module weights are not part of")
            outputs, *new = kernel(x, hx, weights, True, 1, 0.0, self.training, False, False)
        return outputs, tuple(s[0] for s in new)
