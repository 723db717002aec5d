"""Batches of R runs at once, each from its own split of one data set."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mnist_seq.data.task import Part, Task

StackedBatch = tuple[Float[Tensor, "R T B D"], Int64[Tensor, "R B"]]


class TaskStack:
    """The tasks of a stack, which differ in their split alone."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = list(tasks)
        self.time_steps = tasks[0].time_steps

    def train_batch(self, positions: Int64[Tensor, "R B"]) -> StackedBatch:
        """The batches at `positions` of each run's train part."""
        each = [
            task.train_batch(of_run)
            for task, of_run in zip(self._tasks, positions.unbind(0), strict=True)
        ]
        return _stacked(each)

    def batches(
        self, part: Part, batch_size: int, *, limit: int | None = None
    ) -> Iterator[StackedBatch]:
        """As `Task.batches`; the test set is one for all runs, and stands in memory once."""
        if part == "test":
            size = len(self._tasks)
            for x, y in self._tasks[0].batches(part, batch_size, limit=limit):
                yield x.expand(size, *x.shape), y.expand(size, *y.shape)
            return
        of_each = [task.batches(part, batch_size, limit=limit) for task in self._tasks]
        for each in zip(*of_each, strict=True):
            yield _stacked(each)


def _stacked(each: Sequence[tuple[Tensor, Tensor]]) -> StackedBatch:
    return torch.stack([x for x, _ in each]), torch.stack([y for _, y in each])
