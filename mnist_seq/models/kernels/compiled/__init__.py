"""Layers of some cells by a library that is compiled for this CPU.

Most of them are linear and diagonal in their state; the sLSTM is not, and takes a call a time step.

Matrix products are torch's; the library (`mnist_seq/native/source/scans.cpp`) computes gates and
states between them, for a few time steps at a time, and again on the way back. The trainer lends
the library to a training step by `using`; everywhere else the scans of `models.kernels` run.

Gradients of weights are added to what they were by a sum of its own: inside a product (`addmm`) it
may become one long chain, which loses a digit.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from mnist_seq.models.kernels.scan import is_stacked

_lent: ContextVar[Any] = ContextVar("functions of the compiled library", default=None)


@contextlib.contextmanager
def using(functions: Any) -> Iterator[None]:
    """Let the scans of this thread use a library meanwhile.

    Args:
        functions: those of scans.cpp, with their types declared.
    """
    before = _lent.set(functions)
    try:
        yield
    finally:
        _lent.reset(before)


def functions_for(*tensors: Tensor) -> Any:
    """The functions of the library, or None where torch's scan must run."""
    functions = _lent.get()
    is_fit = functions is not None and not is_stacked() and torch.is_grad_enabled()
    is_fit = is_fit and all(x.dtype == torch.float32 and x.device.type == "cpu" for x in tensors)
    return functions if is_fit else None


def rows_of(x: Tensor) -> Tensor:
    """[T, B, H] as [T * B, H]."""
    return x.flatten(0, 1)


def address_of_gradient(dh: Tensor | None, first: int) -> tuple[int | None, int]:
    """Where that of time step `first` is, and how many floats lie between two time steps.

    Args:
        dh: as `readable` gives it.
    """
    return (None, 0) if dh is None else (dh[first].data_ptr(), dh.stride(0))


def readable(dh: Tensor | None) -> Tensor | None:
    """A gradient [T, B, H] whose time steps are contiguous, each at a distance from the last."""
    if dh is None or (dh.stride(2) == 1 and dh.stride(1) == dh.shape[2]):
        return dh
    return dh.contiguous()


def own_copy(gradient: Tensor | None, like: Tensor) -> Tensor:
    """A contiguous gradient that the library may change; zeros where autograd has none."""
    if gradient is None:
        return torch.zeros_like(like, memory_format=torch.contiguous_format)
    return gradient.clone(memory_format=torch.contiguous_format)


def before_part(h: Tensor, h_0: Tensor, first: int) -> int:
    """Address of the state before a time step."""
    return h[first - 1].data_ptr() if first else h_0.data_ptr()
