"""What a training loop reads batches from."""

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from mnist_seq.data.images import NUM_CLASSES, Images
from mnist_seq.data.sequence import MEAN_STD, as_sequence, permutation_hash, sequence_shape
from mnist_seq.data.split import Split

Part = Literal["train", "valid", "test"]
Batch = tuple[Float[Tensor, "T B D"], Int64[Tensor, " B"]]

NORMALIZATIONS = ("standard", "unit")


class Task:
    """One data set as sequences on a device, with its split: what a training loop reads from.

    The sequences stay bytes; a batch is gathered, turned time-major and made float as it is read.

    Args:
        name: the data set, for its mean and standard deviation and for `identity`.
        normalize: "standard" for (x / 255 - mean) / std, "unit" for x / 255.
        fingerprint: `Located.fingerprint`, for `identity`.
    """

    num_classes = NUM_CLASSES

    def __init__(
        self,
        images: Images,
        *,
        name: str,
        sequence: str,
        normalize: str,
        split: Split,
        device: torch.device,
        fingerprint: str = "",
    ) -> None:
        scale, offset = _affine(normalize, name)
        self.time_steps, self.input_size = sequence_shape(sequence)
        self.num_train, self.num_valid = len(split.train), len(split.valid)
        self.num_test = len(images.test_labels)
        self.device = device
        self._images = images
        self._rows = {"train": split.train, "valid": split.valid}
        self._scale = scale
        self._offset = torch.tensor(offset, device=device)
        train = as_sequence(images.train_images.to(device), sequence).flatten(1)
        test = as_sequence(images.test_images.to(device), sequence).flatten(1)
        # One gather through the split costs 2 us a batch; a second copy of the images costs 43 MB.
        self._sequences = {"train": train, "valid": train, "test": test}
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
            "permutation": permutation_hash() if sequence == "permuted" else "",
            "split": split.hash,
            "num_train": self.num_train,
            "num_valid": self.num_valid,
            "num_test": self.num_test,
        }

    def train_batch(self, positions: Int64[Tensor, " B"]) -> Batch:
        """The batch at `positions` (on the device) of the train part, 0 to num_train - 1."""
        rows = self._device_rows["train"].index_select(0, positions)
        x = self._normalized(self._sequences["train"].index_select(0, rows))
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

    def labels(self, part: Part) -> Int64[Tensor, " n"]:
        """The true classes of a part, in the order of `batches`."""
        return self._labels[part]

    def images(self, part: Part, positions: Int64[Tensor, " B"]) -> UInt8[Tensor, "B 28 28"]:
        """The pictures at `positions` of a part as published, on the CPU: for people to look at."""
        positions = positions.cpu()
        if part == "test":
            return self._images.test_images[positions]
        return self._images.train_images[self._rows[part][positions]]

    def identity(self) -> dict[str, str | int]:
        """What must be equal for two runs to be compared: data, reading and split."""
        return dict(self._identity)

    def _normalized(self, chunk: UInt8[Tensor, "B TD"]) -> Float[Tensor, "T B D"]:
        x = chunk.view(len(chunk), self.time_steps, self.input_size).transpose(0, 1).contiguous()
        # offset + scale * x in one pass over the bytes: measured faster than a table or two passes.
        return torch.add(self._offset, x, alpha=self._scale)


def _affine(normalize: str, name: str) -> tuple[float, float]:
    """(scale, offset) that take a byte to a network's input."""
    if normalize not in NORMALIZATIONS:
        raise ValueError(
            f"data.normalize must be one of {', '.join(NORMALIZATIONS)}: "
            f"data.normalize={normalize}; choose one of them"
        )
    if normalize == "unit":
        return 1 / 255, 0.0
    mean, std = MEAN_STD[name]
    return 1 / (255 * std), -mean / std
