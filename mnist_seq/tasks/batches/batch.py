"""A batch of examples, for a training step or an evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


class Batch(NamedTuple):
    """B examples, time first. In a stack each tensor has a leading axis R.

    Attributes:
        x: [T, B, D]; of tokens that are embedded their numbers, [T, B, 1].
        y: a class [B] or [T, B]; bits or values [B, K] or [T, B, K].
        lengths: [B], the lengths of the sequences; None if all have T time steps.
        mask: [T, B], where `y` counts; None if all of it counts.
    """

    x: Float[Tensor, "*R T B D"] | Int64[Tensor, "*R T B 1"]
    y: Tensor
    lengths: Int64[Tensor, "*R B"] | None = None
    mask: Bool[Tensor, "*R T B"] | None = None

    @property
    def num_examples(self) -> int:
        """B."""
        return self.x.shape[-2]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors that the batch has, for functions that take tensors only."""
        return tuple(each for each in self if each is not None)


@dataclass(frozen=True)
class Layout:
    """Which optional tensors the batches of a data set have."""

    has_lengths: bool = False
    has_mask: bool = False

    def unpack(self, tensors: Sequence[Tensor]) -> tuple[Batch, tuple[Tensor, ...]]:
        """The batch from its `Batch.tensors`, and the tensors after them."""
        x, y, *rest = tensors
        lengths = rest.pop(0) if self.has_lengths else None
        mask = rest.pop(0) if self.has_mask else None
        return Batch(x, y, lengths, mask), tuple(rest)


def repeated(batch: Batch, num_runs: int) -> Batch:
    """The same batch for each run of a stack, without a copy."""
    each = [None if part is None else part.expand(num_runs, *part.shape) for part in batch]
    return _batch(*each)


def stacked(batches: Sequence[Batch]) -> Batch:
    """The batches of R runs as one."""
    return _batch(*(_stacked(parts) for parts in zip(*batches, strict=True)))


def _batch(
    x: Tensor | None, y: Tensor | None, lengths: Tensor | None, mask: Tensor | None
) -> Batch:
    assert x is not None
    assert y is not None
    return Batch(x, y, lengths, mask)


def _stacked(parts: Sequence[Tensor | None]) -> Tensor | None:
    some = [part for part in parts if part is not None]
    return torch.stack(some) if some else None
