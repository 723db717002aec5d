"""The batches of one run on generated sequences, on its device."""

import hashlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.tasks.batches.split import Split
from mnist_seq.tasks.batches.task_data import Rows, TaskData, words
from mnist_seq.tasks.examples import Examples, Part
from mnist_seq.tasks.spec import Spec
from mnist_seq.tasks.streams import LENGTH, ORDER, Stream

_SAMPLE = 2**63 - 1  # number of the batch that is no training batch, and is read by diagnostics


class StreamData(TaskData):
    """Valid and test of a stream in memory; a training batch is made when its step comes.

    Args:
        examples: `Stream.load`: the validation and the test set.
        seed: of this run's training batches, 63 bits.
        batch_size: sequences of a training batch.
        is_shuffled: whether the batches of a limited training set come in another order each epoch.
    """

    is_stream = True

    def __init__(
        self,
        task: Stream,
        examples: Examples,
        *,
        seed: int,
        batch_size: int,
        is_shuffled: bool,
        device: torch.device,
        fingerprint: str = "",
    ) -> None:
        settings = task.settings
        parts = Split(
            torch.arange(0),
            torch.arange(settings.valid),
            hash=hashlib.sha256(f"{seed}".encode()).hexdigest(),
        )
        super().__init__(task, examples, split=parts, device=device, fingerprint=fingerprint)
        self._stream, self._seed, self._batch_size = task, seed, batch_size
        self._is_shuffled, self._train_lengths = is_shuffled, task.lengths()
        self.num_train = task.epoch_size
        self._num_batches = -(-self.num_train // batch_size)  # of an epoch
        self._is_limited, self._epoch = settings.limit != "all", -1
        self._order = np.arange(self._num_batches * self._is_limited)
        self._identity["num_train"] = self.num_train

    def batch_at(self, step: int, positions: Rows | None = None) -> Batch:
        """The training batch of a step, a function of the run's seed and the step."""
        size, number = self._batch_size, self._number(step)
        if self._is_limited:
            size = min(size, self.num_train - number * size)
        draw = self._stream.draw_by_run(self._seed, number)
        length = self.length_at(number)
        return self._on_device(self._stream.make(draw, size, length), self._stream.spec_at(length))

    def length_at(self, number: int) -> int:
        """The length of a training batch by its number, which is the step where none comes again.

        It is the same in all runs of the task.
        """
        lengths = self._train_lengths
        if len(lengths) == 1:
            return lengths[0]
        draw = self._stream.draw_by_task(LENGTH, number % 2**32, number >> 32)
        return lengths[draw.randint(len(lengths))]

    def longest(self) -> int:
        """See `TaskData`; of the first 1,000 steps."""
        return max(range(1000), key=lambda step: self.length_at(self._number(step)))

    def sample(self, num: int) -> Batch:
        """See `TaskData`: of the length of valid and test, and no part of the training batches."""
        draw, length = self._stream.draw_by_run(self._seed, _SAMPLE), self._stream.settings.length
        return self._on_device(self._stream.make(draw, num, length), self.spec)

    def probe(self, length: int) -> Iterator[Batch]:
        """See `TaskData`."""
        spec = self._stream.spec_at(length)
        for part in self._stream.probe(length):
            yield self._on_device(part, spec)

    def _number(self, step: int) -> int:
        """The number of a step's batch, which comes again where the training set has an end."""
        if not self._is_limited:
            return step
        epoch, position = divmod(step, self._num_batches)
        if self._is_shuffled and epoch != self._epoch:
            # a smaller last batch stays the last one, so that runs of a stack go in step
            num_whole = self.num_train // self._batch_size
            draw = self._stream.draw_by_task(ORDER, epoch % 2**32)
            self._order[:num_whole], self._epoch = draw.permutation(num_whole), epoch
        return int(self._order[position])

    def _on_device(self, part: Part, spec: Spec) -> Batch:
        """A batch as `TaskData` makes it, from examples that were made for it alone."""
        y = torch.as_tensor(part.y)
        if spec.output != "class" and y.ndim == 1 + spec.per_step:
            y = y.unsqueeze(-1)
        x = torch.as_tensor(part.x).to(self.device)
        x = words(x, spec) if spec.input == "token" else x.transpose(0, 1)
        y = y.to(self.device)
        return Batch(
            x.contiguous(),
            y.transpose(0, 1) if spec.per_step else y,
            mask=None if part.mask is None else _time_first(part.mask, self.device),
        )


def _time_first(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.as_tensor(array).to(device).transpose(0, 1)
