"""Reads IDX files of pictures and labels into memory."""

import gzip
import math
import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mnist_seq.tasks.examples import Examples, Part

SIDE, NUM_CLASSES = 28, 10


def read_examples(paths: Sequence[Path]) -> Examples:
    """Train images, train labels, test images and test labels from their files.

    Raw files are memory-mapped, not copied: the workers of one machine share them.

    Raises:
        ValueError: a file is not the expected IDX file.
    """
    parts = []
    for image_path, label_path in (paths[:2], paths[2:]):
        images, labels = read_idx(image_path, num_dims=3), read_idx(label_path, num_dims=1)
        _check(images, image_path, labels, label_path)
        parts.append(Part(images, labels.astype(np.int64)))
    return Examples(*parts)


def read_pictures(path: Path) -> UInt8[np.ndarray, "N 28 28"]:
    """The pictures of one file."""
    return read_idx(path, num_dims=3)


def read_idx(path: Path, *, num_dims: int) -> UInt8[np.ndarray, "..."]:
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
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _content(path: Path) -> mmap.mmap | bytearray:
    if path.suffix == ".gz":
        with gzip.open(path) as stream:
            return bytearray(stream.read())
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return bytearray()  # an empty file cannot be mapped
        # copy on write: torch needs writable memory, and the file does not change
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _check(images: np.ndarray, image_path: Path, labels: np.ndarray, label_path: Path) -> None:
    if images.shape[1:] != (SIDE, SIDE):
        size = " x ".join(map(str, images.shape[1:]))
        raise _not_idx(image_path, f"hold pictures of {SIDE} x {SIDE}", size)
    if len(labels) != len(images):
        raise _not_idx(label_path, f"hold {len(images)} labels, one a picture", str(len(labels)))
    if int(labels.max()) >= NUM_CLASSES:
        raise _not_idx(label_path, f"hold labels below {NUM_CLASSES}", str(int(labels.max())))


def _not_idx(path: Path, rule: str, found: str) -> ValueError:
    return ValueError(f"an IDX file must {rule}: {path} has {found}; replace the file")
