"""What a training loop reads batches from."""

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from mnist_seq.config.schema import PERMUTATION_SEED
from mnist_seq.tasks.images import NUM_CLASSES, Images
from mnist_seq.tasks.permutation import Permutation, permutation_hash
from mnist_seq.tasks.pictures import drawn
from mnist_seq.tasks.sequence import MEAN_STD, as_sequence
from mnist_seq.tasks.split import Split

Part = Literal["train", "valid", "test"]
Batch = tuple[Float[Tensor, "T B D"], Int64[Tensor, " B"]]

NORMALIZATIONS = ("standard", "unit")


class Task:
    """One data set as sequences on a device, with its split: what a training loop reads from.

    Pixels stay bytes; a batch is gathered, turned time-major and made float as it is read.

    Args:
        name: the data set, for its mean and standard deviation and for `identity`.
        sequence, chunk, permutation: as for `as_sequence`.
        normalize: "standard" for (x / 255 - mean) / std, "unit" for x / 255; signals are published
            with mean 0 and deviation 1, "standard" as they are.
        fingerprint: `Located.fingerprint`, for `identity`.
        beside: a task of the same images, read alike: their sequences stand in memory once.
    """

    num_classes = NUM_CLASSES

    def __init__(
        self,
        images: Images,
        *,
        name: str,
        sequence: str,
        chunk: int = 1,
        permutation: Permutation = PERMUTATION_SEED,
        normalize: str,
        split: Split,
        device: torch.device,
        fingerprint: str = "",
        beside: "Task | None" = None,
    ) -> None:
        scale, offset = _affine(normalize, name)
        self.num_train, self.num_valid = len(split.train), len(split.valid)
        self.num_test = len(images.test_labels)
        self.device = device
        self._images = images
        self._rows = {"train": split.train, "valid": split.valid}
        self._scale = scale
        self._offset = torch.tensor(offset, device=device)
        if beside is None:
            train, test = (
                as_sequence(part.to(device), sequence, chunk=chunk, permutation=permutation)
                for part in (images.train_images, images.test_images)
            )
            _, self.time_steps, self.input_size = train.shape
            # One gather through the split costs 2 us a batch; a second copy of the images 43 MB.
            flat = train.flatten(1)
            self._sequences = {"train": flat, "valid": flat, "test": test.flatten(1)}
        else:
            self.time_steps, self.input_size = beside.time_steps, beside.input_size
            self._sequences = beside._sequences
        self._device_rows = {part: rows.to(device) for part, rows in self._rows.items()}
        self._labels = {
            "train": images.train_labels[split.train].to(device),
            "valid": images.train_labels[split.valid].to(device),
            "test": images.test_labels.to(device),
        }
        self._identity: dict[str, str | int] = {
            "data": name,
            "fingerprint": fingerprint,
            "sequence": sequence,
            "permutation_hash": (
                permutation_hash(permutation, self.time_steps * self.input_size)
                if sequence == "permuted"
                else ""
            ),
            "split": split.hash,
            "num_train": self.num_train,
            "num_valid": self.num_valid,
            "num_test": self.num_test,
        }

    def train_batch(self, positions: Int64[Tensor, " B"]) -> Batch:
        """The batch at `positions` (on the device) of the train part, 0 to num_train - 1."""
        x = self.read("train", self._device_rows["train"].index_select(0, positions))
        return x, self._labels["train"].index_select(0, positions)

    def batches(self, part: Part, batch_size: int, *, limit: int | None = None) -> Iterator[Batch]:
        """The first `limit` examples of a part (None: all) in order, the last batch as it falls."""
        labels = self.labels(part)[:limit]
        for start in range(0, len(labels), batch_size):
            y = labels[start : start + batch_size]
            if part == "test":
                chunk = self._sequences[part][start : start + len(y)]
            else:
                rows = self._device_rows[part][start : start + len(y)]
                chunk = self._sequences[part].index_select(0, rows)
            yield self._normalized(chunk), y

    def rows(self, part: Literal["train", "valid"]) -> Int64[Tensor, " n"]:
        """Where the examples of a part lie among the images of its set, on the device."""
        return self._device_rows[part]

    def read(self, part: Part, rows: Int64[Tensor, " B"]) -> Float[Tensor, "T B D"]:
        """The sequences at some rows of a part's set."""
        return self._normalized(self._sequences[part].index_select(0, rows))

    def labels(self, part: Part) -> Int64[Tensor, " n"]:
        """The true classes of a part, in the order of `batches`."""
        return self._labels[part]

    @property
    def blank(self) -> Float[Tensor, ""]:
        """What a black pixel, or 0 in a signal, is to the net."""
        return self._offset

    def images(self, part: Part, positions: Int64[Tensor, " B"]) -> UInt8[Tensor, "B 28 28"]:
        """Pictures at `positions` of a part, on the CPU: for people to look at.

        They are as published; signals are drawn.
        """
        positions = positions.cpu()
        if part == "test":
            found = self._images.test_images[positions]
        else:
            found = self._images.train_images[self._rows[part][positions]]
        return found if found.dtype == torch.uint8 else torch.from_numpy(drawn(found.numpy()))

    def identity(self) -> dict[str, str | int]:
        """What must be equal for two runs to be compared: data, reading and split."""
        return dict(self._identity)

    def _normalized(
        self, chunk: UInt8[Tensor, "B TD"] | Float32[Tensor, "B TD"]
    ) -> Float[Tensor, "T B D"]:
        x = chunk.view(len(chunk), self.time_steps, self.input_size).transpose(0, 1).contiguous()
        # offset + scale * x in one pass over the bytes: measured faster than a table or two passes.
        return torch.add(self._offset, x, alpha=self._scale)


def _affine(normalize: str, name: str) -> tuple[float, float]:
    """(scale, offset) that take a pixel's byte, or a signal's value, to a network's input."""
    if normalize not in NORMALIZATIONS:
        raise ValueError(
            f"data.normalize must be one of {', '.join(NORMALIZATIONS)}: "
            f"data.normalize={normalize}; choose one of them"
        )
    if name == "mnist1d":
        return 1.0, 0.0
    if normalize == "unit":
        return 1 / 255, 0.0
    mean, std = MEAN_STD[name]
    return 1 / (255 * std), -mean / std
