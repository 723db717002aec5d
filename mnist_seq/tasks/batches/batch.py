"""What one step of training, or of an evaluation, reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


class Batch(NamedTuple):
    """B examples, time first. In a stack each tensor has R runs before these axes.

    Attributes:
        x: [T, B, D].
        y: a class [B] or [T, B]; bits or values [B, K] or [T, B, K].
        lengths: [B], where sequences of the batch end before T; else None.
        mask: [T, B], where `y` counts; None where all of it counts.
    """

    x: Float[Tensor, "*R T B D"]
    y: Tensor
    lengths: Int64[Tensor, "*R B"] | None = None
    mask: Bool[Tensor, "*R T B"] | None = None

    @property
    def num_examples(self) -> int:
        """B."""
        return self.x.shape[-2]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The batch without what it does not have, for functions of tensors alone."""
        return tuple(each for each in self if each is not None)


@dataclass(frozen=True)
class Layout:
    """Which parts the batches of a data set have."""

    has_lengths: bool = False
    has_mask: bool = False

    def unpack(self, tensors: Sequence[Tensor]) -> tuple[Batch, tuple[Tensor, ...]]:
        """The batch of `Batch.tensors`, and the tensors that follow it."""
        x, y, *rest = tensors
        lengths = rest.pop(0) if self.has_lengths else None
        mask = rest.pop(0) if self.has_mask else None
        return Batch(x, y, lengths, mask), tuple(rest)


def repeated(batch: Batch, num_runs: int) -> Batch:
    """One batch for each run of a stack; nothing is copied."""
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
