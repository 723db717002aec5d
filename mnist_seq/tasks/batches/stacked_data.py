"""Batches for a stack: R runs, each with its own split of one data set."""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from jaxtyping import Int64
from torch import Tensor

from mnist_seq.tasks.batches.batch import Batch, repeated
from mnist_seq.tasks.batches.task_data import PartName, TaskData

_SPLIT: tuple[Literal["train"], Literal["valid"]] = ("train", "valid")


class StackedData:
    """The data of the runs of a stack: one data set, each run with its own split."""

    def __init__(self, each: Sequence[TaskData]) -> None:
        self._first, self._size, self.spec = each[0], len(each), each[0].spec
        self.time_steps, self.layout = each[0].time_steps, each[0].layout
        self._rows = {part: torch.stack([data.rows(part) for data in each]) for part in _SPLIT}
        self._y = {part: torch.stack([data.labels(part) for data in each]) for part in _SPLIT}
        self._lengths = {part: _stacked([d.lengths(part) for d in each]) for part in _SPLIT}
        self._mask = {part: _stacked([d.mask(part) for d in each]) for part in _SPLIT}

    def train_batch(self, positions: Int64[Tensor, "R B"]) -> Batch:
        """The batches at `positions` of the train part of each run, in one gather."""
        rows = self._rows["train"].gather(1, positions)
        return self._batch("train", rows, positions)

    def batches(
        self, part: PartName, batch_size: int, *, limit: int | None = None
    ) -> Iterator[Batch]:
        """As `TaskData.batches`; all runs share the test set, which is in memory once."""
        if part == "test":
            for batch in self._first.batches(part, batch_size, limit=limit):
                yield repeated(batch, self._size)
            return
        num = self._rows[part][:, :limit].shape[1]
        for positions in torch.split(torch.arange(num, device=self._first.device), batch_size):
            wanted = positions.expand(self._size, -1)
            yield self._batch(part, self._rows[part].gather(1, wanted), wanted)

    def probe(self, length: int) -> Iterator[Batch]:
        """As `TaskData.probe`; all runs share it."""
        for batch in self._first.probe(length):
            yield repeated(batch, self._size)

    def _batch(
        self,
        part: Literal["train", "valid"],
        rows: Int64[Tensor, "R B"],
        positions: Int64[Tensor, "R B"],
    ) -> Batch:
        def of(whole: Tensor | None, *, is_per_step: bool) -> Tensor | None:
            if whole is None:
                return None
            index = positions.view(*positions.shape, *(1,) * (whole.ndim - 2))
            found = whole.gather(1, index.expand(-1, -1, *whole.shape[2:]))
            return found.transpose(1, 2) if is_per_step else found

        y = of(self._y[part], is_per_step=self.spec.per_step)
        assert y is not None
        return Batch(
            self._read(part, rows),
            y,
            of(self._lengths[part], is_per_step=False),
            of(self._mask[part], is_per_step=True),
        )

    def _read(self, part: PartName, rows: Int64[Tensor, "R B"]) -> Tensor:
        x = self._first.read(part, rows.flatten())
        return x.view(len(x), *rows.shape, x.shape[-1]).movedim(1, 0)


def _stacked(each: Sequence[Tensor | None]) -> Tensor | None:
    some = [tensor for tensor in each if tensor is not None]
    return torch.stack(some) if some else None
