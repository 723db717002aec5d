"""A data set's pictures or signals and their labels as tensors in memory."""

import gzip
import math
import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from mnist_seq.tasks.locate import Located
from mnist_seq.tasks.sources import mnist_1d, mnist_5k

SIDE, NUM_CLASSES = 28, 10


@dataclass(frozen=True, eq=False)
class Images:
    """The pictures of one data set, or MNIST-1D's signals, and what they show."""

    train_images: UInt8[Tensor, "N 28 28"] | Float32[Tensor, "N 40"]
    train_labels: Int64[Tensor, " N"]
    test_images: UInt8[Tensor, "M 28 28"] | Float32[Tensor, "M 40"]
    test_labels: Int64[Tensor, " M"]


def load(located: Located) -> Images:
    """Read what `locate` found; it verified the checksums, so nothing is hashed here.

    Raw files are mapped, not copied: the workers of one machine share them in its page cache.

    Raises:
        ValueError: a file is not the IDX file that its place says.
    """
    if located.name == "mnist_5k":
        return Images(*(torch.from_numpy(array) for array in mnist_5k.read()))
    if located.name == "mnist1d":
        signals = mnist_1d.read(Path(located.files[0][0]))
        return Images(*(torch.from_numpy(array) for array in signals))
    parts = []
    for image_file, label_file in (located.files[:2], located.files[2:]):
        images = read_idx(Path(image_file[0]), num_dims=3)
        labels = read_idx(Path(label_file[0]), num_dims=1)
        _check(images, Path(image_file[0]), labels, Path(label_file[0]))
        parts += [images, labels.long()]
    return Images(*parts)


def read_idx(path: Path, *, num_dims: int) -> UInt8[Tensor, "..."]:
    """The array in an IDX file of bytes, raw or `.gz`.

    Raises:
        ValueError: wrong magic number, number of dimensions or length.
    """
    content = _content(path)
    magic = 0x0800 + num_dims  # two zero bytes, 08 for unsigned bytes, the number of dimensions
    start = 4 + 4 * num_dims
    if len(content) < start or struct.unpack_from(">I", content)[0] != magic:
        raise _not_idx(path, f"start with magic number 0x{magic:08x}", f"0x{content[:4].hex()}")
    shape = struct.unpack_from(f">{num_dims}I", content, 4)
    if len(content) != start + math.prod(shape) or 0 in shape:
        raise _not_idx(
            path,
            f"hold {' x '.join(map(str, shape))} bytes after its header of {start}",
            f"{len(content) - start}",
        )
    return torch.frombuffer(content, dtype=torch.uint8, offset=start).view(shape)


def _content(path: Path) -> mmap.mmap | bytearray:
    if path.suffix == ".gz":
        with gzip.open(path) as stream:
            return bytearray(stream.read())
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return bytearray()  # an empty file cannot be mapped
        # Copy on write: torch wants memory that it may write to, the file stays as it is.
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _check(images: Tensor, image_path: Path, labels: Tensor, label_path: Path) -> None:
    if images.shape[1:] != (SIDE, SIDE):
        size = " x ".join(map(str, images.shape[1:]))
        raise _not_idx(image_path, f"hold pictures of {SIDE} x {SIDE}", size)
    if len(labels) != len(images):
        raise _not_idx(label_path, f"hold {len(images)} labels, one a picture", str(len(labels)))
    if int(labels.max()) >= NUM_CLASSES:
        raise _not_idx(label_path, f"hold labels below {NUM_CLASSES}", str(int(labels.max())))


def _not_idx(path: Path, rule: str, found: str) -> ValueError:
    return ValueError(f"an IDX file must {rule}: {path} has {found}; replace the file")
