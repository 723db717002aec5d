"""The examples of one run on its device, split into parts, and their batches."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from mnist_seq.tasks import Task
from mnist_seq.tasks.batches.batch import Batch, Layout
from mnist_seq.tasks.batches.split import Split
from mnist_seq.tasks.examples import Examples, Part
from mnist_seq.tasks.spec import Spec

PartName = Literal["train", "valid", "test"]
Rows = Int64[Tensor, " B"]


class Memory(NamedTuple):
    """Sequences as they lie in memory, for whoever gathers batches by itself.

    Attributes:
        data: [N, T, D], bytes or floats; an input is offset + scale * data.
        rows: of the examples of a part, in `data`.
    """

    data: Tensor
    scale: float
    offset: float
    rows: Rows


class TaskData:
    """A task's examples as sequences on a device, in the split of one run.

    Bytes are kept as bytes. Each batch is gathered, made time-major and converted to float.

    Args:
        examples: as `mnist_seq.tasks.examples.checked` returns them.
        fingerprint: `Located.fingerprint`, for `identity`.
        beside: data of another run with the same examples and reading; both share the sequences.

    Attributes:
        is_stream: whether training batches are generated; see `StreamData`.
        num_padded: time steps that are made for each batch, `Task.padding`.
    """

    is_stream = False

    def __init__(
        self,
        task: Task,
        examples: Examples,
        *,
        split: Split,
        device: torch.device,
        fingerprint: str = "",
        beside: "TaskData | None" = None,
    ) -> None:
        self.task, self.spec, self.examples, self.device = task, task.spec, examples, device
        self.num_train, self.num_valid = len(split.train), len(split.valid)
        self.num_test = len(examples.test.x)
        self.time_steps, self.input_size = self.spec.time_steps, self.spec.input_size
        self.num_padded = task.num_padded
        scale, offset = task.affine()
        self._scale, self._offset = scale, torch.tensor(offset, device=device)
        self._rows = {"train": split.train, "valid": split.valid}
        self._device_rows = {part: rows.to(device) for part, rows in self._rows.items()}
        if beside is None:
            train, test = (self._read(part.x) for part in (examples.train, examples.test))
            # a gather through the split takes 2 us a batch; a copy of the images takes 43 MB
            self._sequences = {"train": train, "valid": train, "test": test}
        else:
            self._sequences = beside._sequences
        self._y = self._parts("y")
        self._lengths = self._parts("lengths") if self.spec.varied else None
        has_mask = examples.train.mask is not None or examples.test.mask is not None
        self._mask = self._parts("mask") if has_mask else None
        self.layout = Layout(has_lengths=self.spec.varied, has_mask=has_mask)
        self._identity: dict[str, str | int] = {
            "data": task.name,
            "fingerprint": fingerprint,
            **task.identity(),
            "split": split.hash,
            "num_train": self.num_train,
            "num_valid": self.num_valid,
            "num_test": self.num_test,
        }

    def train_batch(self, positions: Rows) -> Batch:
        """The batch at `positions` (on the device, 0 to num_train - 1) of the train part."""
        x = self.read("train", self._device_rows["train"].index_select(0, positions))
        return Batch(x, *self.answers("train", positions))

    def memory(self, part: Literal["train", "valid"]) -> Memory | None:
        """A part's sequences in memory; None where inputs are made from what lies there."""
        if self.spec.input == "token" or self.num_padded:
            return None
        data = self._sequences[part].view(-1, self.time_steps, self.input_size)
        return Memory(data, self._scale, float(self._offset), self._device_rows[part])

    def batch_at(self, step: int, positions: Rows) -> Batch:
        """The training batch of a step."""
        return self.train_batch(positions)

    def longest(self) -> int:
        """A step whose training batch is as long as any."""
        return 0

    def sample(self, num: int) -> Batch:
        """Some training examples, always the same ones, for diagnostics."""
        return self.train_batch(torch.arange(min(num, self.num_train), device=self.device))

    def probe(self, length: int) -> Iterator[Batch]:
        """Test examples of another length, as the task makes them."""
        raise NotImplementedError(f"data={self.task.name} has one length")

    def batches(
        self, part: PartName, batch_size: int, *, limit: int | None = None
    ) -> Iterator[Batch]:
        """The first `limit` examples of a part (None: all) in order; the last may be smaller."""
        num = len(self.labels(part)[:limit])
        for start in range(0, num, batch_size):
            chosen = slice(start, min(start + batch_size, num))
            if self.num_padded:
                x = self.read(part, self._rows_of(part, chosen))
            elif part == "test":
                x = self._as_input(self._sequences[part][chosen])
            else:
                x = self.read(part, self._device_rows[part][chosen])
            yield Batch(x, *self._answers(part, chosen))

    def rows(self, part: Literal["train", "valid"]) -> Int64[Tensor, " n"]:
        """The positions of a part's examples in the training set, on the device."""
        return self._device_rows[part]

    def read(self, part: PartName, rows: Rows) -> Tensor:
        """The sequences at some rows of the set of a part."""
        x = self._as_input(self._sequences[part].index_select(0, rows))
        if not self.num_padded:
            return x
        made = self.task.padding("test" if part == "test" else "train", rows.tolist())
        return torch.cat([x, torch.from_numpy(made).to(self.device).transpose(0, 1)])

    def _rows_of(self, part: PartName, chosen: slice) -> Rows:
        """Positions in the set of a part."""
        if part == "test":
            return torch.arange(chosen.start, chosen.stop, device=self.device)
        return self._device_rows[part][chosen]

    def answers(
        self, part: PartName, positions: Rows
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """y, lengths and mask at some positions of a part, time first."""
        return self._answers(part, positions)

    def labels(self, part: PartName) -> Tensor:
        """The targets of a part, example first, in the order of `batches`."""
        return self._y[part]

    def lengths(self, part: PartName) -> Int64[Tensor, " n"] | None:
        """The lengths of a part's sequences; None if all are equal."""
        return None if self._lengths is None else self._lengths[part]

    def mask(self, part: PartName) -> Tensor | None:
        """Which time steps of a part count, example first; None for all."""
        return None if self._mask is None else self._mask[part]

    @property
    def blank(self) -> Float[Tensor, ""]:
        """The input for a black pixel, or for 0 in a signal."""
        return self._offset

    def pictures(self, part: PartName, positions: Rows) -> Tensor | None:
        """Pictures at `positions` of a part, on the CPU, for people; None if there are none."""
        positions = positions.cpu()
        if part == "test":
            found = self.examples.test.x[positions.numpy()]
        else:
            found = self.examples.train.x[self._rows[part][positions].numpy()]
        drawn = self.task.draw(found)
        return None if drawn is None else torch.from_numpy(drawn)

    def identity(self) -> dict[str, str | int]:
        """What must be equal in two runs that are compared: data, reading and split."""
        return dict(self._identity)

    def _read(self, x: object) -> Tensor:
        sequences = self.task.read(torch.as_tensor(x).to(self.device))
        wanted = [self.time_steps - self.num_padded, self.input_size][
            : 1 if self.spec.input == "token" else 2
        ]
        if list(sequences.shape[1:]) != wanted:
            raise ValueError(
                f"data={self.task.name}: x must be sequences of {wanted}, as its spec says: found "
                f"{list(sequences.shape[1:])}"
            )
        return sequences.flatten(1)

    def _parts(self, name: str) -> dict[str, Tensor]:
        train = self._array(name, self.examples.train)
        return {
            "train": train[self._rows["train"]].to(self.device),
            "valid": train[self._rows["valid"]].to(self.device),
            "test": self._array(name, self.examples.test).to(self.device),
        }

    def _array(self, name: str, part: Part) -> Tensor:
        array = getattr(part, name)
        if array is None:  # only one of the parts has a mask
            return torch.ones(len(part.x), self.time_steps, dtype=torch.bool)
        return torch.as_tensor(array)

    def _answers(
        self, part: PartName, chosen: slice | Rows
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        def of(parts: dict[str, Tensor] | None) -> Tensor | None:
            if parts is None:
                return None
            whole = parts[part]
            return whole[chosen] if isinstance(chosen, slice) else whole.index_select(0, chosen)

        y, lengths, mask = of(self._y), of(self._lengths), of(self._mask)
        assert y is not None
        y = y.transpose(0, 1) if self.spec.per_step else y
        return y, lengths, None if mask is None else mask.transpose(0, 1)

    def _as_input(self, chunk: Tensor) -> Tensor:
        if self.spec.input == "token":
            return words(chunk, self.spec)
        x = chunk.view(len(chunk), -1, self.input_size).transpose(0, 1).contiguous()
        # offset + scale * x in one pass over the bytes; measured: faster than a table or two passes
        return torch.add(self._offset, x, alpha=self._scale)


def words(tokens: Int64[Tensor, "B T"], spec: Spec) -> Tensor:
    """Tokens as a network reads them: one-hot [T, B, D], or their numbers [T, B, 1] to embed."""
    first = tokens.transpose(0, 1)
    if spec.embedding:
        return first.unsqueeze(-1)
    return F.one_hot(first, spec.input_size).to(torch.float32)
