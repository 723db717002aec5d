"""Batches of R runs at once, each from its own split of one data set."""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mnist_seq.tasks.task import Part, Task

StackedBatch = tuple[Float[Tensor, "R T B D"], Int64[Tensor, "R B"]]

_SPLIT: tuple[Literal["train"], Literal["valid"]] = ("train", "valid")


class TaskStack:
    """The tasks of a stack: one data set, read alike, in splits of their own."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._first, self._size = tasks[0], len(tasks)
        self.time_steps = tasks[0].time_steps
        self._rows = {part: torch.stack([t.rows(part) for t in tasks]) for part in _SPLIT}
        self._labels = {part: torch.stack([t.labels(part) for t in tasks]) for part in _SPLIT}

    def train_batch(self, positions: Int64[Tensor, "R B"]) -> StackedBatch:
        """The batches at `positions` of each run's train part, in one gather."""
        rows = self._rows["train"].gather(1, positions)
        return self._read("train", rows), self._labels["train"].gather(1, positions)

    def batches(
        self, part: Part, batch_size: int, *, limit: int | None = None
    ) -> Iterator[StackedBatch]:
        """As `Task.batches`; the test set is one for all runs, and stands in memory once."""
        if part == "test":
            for x, y in self._first.batches(part, batch_size, limit=limit):
                yield x.expand(self._size, *x.shape), y.expand(self._size, *y.shape)
            return
        rows = torch.split(self._rows[part][:, :limit], batch_size, dim=1)
        labels = torch.split(self._labels[part][:, :limit], batch_size, dim=1)
        for of_batch, y in zip(rows, labels, strict=True):
            yield self._read(part, of_batch), y

    def _read(self, part: Part, rows: Int64[Tensor, "R B"]) -> Float[Tensor, "R T B D"]:
        x = self._first.read(part, rows.flatten())
        return x.view(len(x), *rows.shape, x.shape[-1]).movedim(1, 0)
