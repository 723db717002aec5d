"""Recurrent layers whose back-propagation through time is written by hand.

Alone, a cell's scan trains on a CPU, where torch's own GRU and RNN put every operation of every
time step on autograd's graph. Under `torch.func.vmap`, where torch's kernels have no rule, the same
scan runs all R runs at once, on any device: its tensors then have a leading axis R. The weights,
their names and their initialisation stay those of `torch.nn`; where a scan does not apply, torch's
own forward pass does.
"""

import functools
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mnist_seq.models.recurrence import Layer, State, dropout_mask, in_layers

# Gate gradients that the backward pass works on at a time, so that they and what they are made of
# stay in a core's L2 cache. Backward pass at hidden 64, batch 64 on 2 MiB of L2: 1.55 ms with these
# 8 time steps at a time, 1.89 with 2, 1.65 with all 28.
CHUNK_BYTES = 2**19


class Products(NamedTuple):
    """Products of matrices: of one run's, or of R runs' at once."""

    mm: Callable[..., Tensor]
    addmm: Callable[..., Tensor]
    addmm_: Callable[..., Tensor]


_ALONE = Products(torch.mm, torch.addmm, torch.Tensor.addmm_)
_STACKED = Products(torch.bmm, torch.baddbmm, torch.Tensor.baddbmm_)


def products(weight: Tensor) -> Products:
    """What multiplies by this weight, [out, in] or [R, out, in]."""
    return _ALONE if weight.dim() == 2 else _STACKED


def steps_at_a_time(one: Tensor) -> int:
    """Time steps that the backward pass works on at a time: all of them where it is no CPU, since
    each kernel then costs its launch.

    Args:
        one: the gates of one time step.
    """
    if one.device.type != "cpu":
        return sys.maxsize
    return max(1, CHUNK_BYTES // (one.numel() * one.element_size()))


def is_stacked() -> bool:
    """Whether vmap runs several runs at once."""
    return torch._C._are_functorch_transforms_active()


def is_scannable(x: object, dtype: torch.dtype) -> bool:
    """Whether a scan takes this input, of weights of this type: any device's in a stack, else a
    CPU's."""
    return (
        isinstance(x, Tensor)
        and (is_stacked() or (x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")))
        and x.dtype in (torch.float32, torch.float64)
        and x.dtype == dtype
        and x.dim() == 3
        and x.numel() > 0
    )


def run_scan(scan: type[torch.autograd.Function], *operands: Any) -> tuple[Tensor, ...]:
    """Outputs [T, B, H] and final states [B, H] of a scan, alone or in a stack.

    Args:
        operands: tensors, None, and settings that all runs of a stack share.
    """
    if is_stacked():
        operands = (scan, *operands)
        scan = _Stack
    found: tuple[Tensor, ...] = scan.apply(*operands)  # type: ignore[no-untyped-call]
    return found


class _Stack(torch.autograd.Function):
    """What vmap does with a scan: its tensors get their leading axis R."""

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing: `vmap` calls the scan, whose own backward pass autograd knows."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], scan: Any, *operands: Any) -> Any:
        """The scan of R runs; what they share is expanded, which copies nothing."""
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


class Scanned(nn.RNNBase):
    """A mix-in before `nn.LSTM`, `nn.GRU` or `nn.RNN`: a scan runs where it is faster, and in a
    stack."""

    num_states = 1

    def trains_by_scan(self, x: Tensor) -> bool:
        """Whether the scan is faster than torch's kernel, alone and on a CPU."""
        return True

    def scan(self, x: Tensor, state: State, weights: Sequence[Tensor]) -> tuple[Tensor, State]:
        """One layer in one direction; weights are w_ih, w_hh, b_ih and b_hh."""
        raise NotImplementedError

    def noises(
        self, time_steps: int, batch_size: int, generator: torch.Generator | None = None
    ) -> State:
        """Masks of the dropout between layers."""
        shape = (time_steps, batch_size, self.hidden_size * (2 if self.bidirectional else 1))
        like = next(self.parameters())
        return tuple(
            dropout_mask(shape, self.dropout, like=like, generator=generator)
            for _ in range(self.num_layers - 1 if self.dropout else 0)
        )

    def forward(self, input: Any, hx: Any = None, noises: State = ()) -> Any:
        """As torch's own, but that `noises` says where dropout falls; without, nowhere."""
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
            is_scannable(x, next(self.parameters()).dtype)
            and (is_stacked() or (torch.is_grad_enabled() and self.trains_by_scan(x)))
            and self.bias
            and not self.batch_first
        )

    def _by_torch(self, x: Tensor, state: State, weights: Sequence[Tensor]) -> tuple[Tensor, State]:
        """As `scan`, by torch's kernel."""
        zeros = (x.new_zeros(1, x.shape[1], self.hidden_size),) * self.num_states
        given = tuple(s.unsqueeze(0) for s in state) or zeros
        hx = given if self.num_states > 1 else given[0]
        kernel = getattr(torch, self.mode.lower())
        with warnings.catch_warnings():  # cuDNN has packed the weights of all layers, not of one
            warnings.filterwarnings("ignore", message="RNN module weights are not part of")
            outputs, *new = kernel(x, hx, weights, True, 1, 0.0, self.training, False, False)
        return outputs, tuple(s[0] for s in new)
