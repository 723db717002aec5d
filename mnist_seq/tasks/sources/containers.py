"""Reads images and labels from a file of Keras (.npz), a CSV or a parquet file of Hugging Face.

Each part of a data set comes back as the content of the IDX file that its authors published, so
that the published checksums say whether it is the same data in the same order.
"""

import io
import math
import struct
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from mnist_seq.tasks.images.idx import SIDE
from mnist_seq.tasks.sources.idx_files import MAX_BYTES

_NPZ_PAIRS = (("x_train", "y_train"), ("x_test", "y_test"))


class Unreadable(ValueError):
    """A file holds no images with labels; the message is the reason."""


def idx_contents(path: Path) -> Iterator[bytes]:
    """The parts of a file, each as the content of an IDX file: images, then their labels.

    Raises:
        Unreadable: the file is damaged, too large, or has another layout.
    """
    read = {".npz": _npz, ".csv": _csv, ".gz": _csv, ".parquet": _parquet}[path.suffix.lower()]
    try:
        _check_size(path.stat().st_size)
        for images, labels in read(path):
            yield _idx(images.reshape(-1, SIDE, SIDE))
            yield _idx(labels)
    except Unreadable:
        raise
    except Exception as error:  # zipfile, zlib, NumPy and PIL raise many kinds, MemoryError too
        raise Unreadable(" ".join(str(error).split())[:200] or type(error).__name__) from error


def _check_size(num_bytes: int) -> None:
    if num_bytes > MAX_BYTES:
        raise Unreadable(f"it holds more than {MAX_BYTES >> 20} MiB")


_Pair = tuple[UInt8[np.ndarray, "..."], UInt8[np.ndarray, " N"]]


def _npz(path: Path) -> Iterator[_Pair]:
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()}
        lacking = [key for pair in _NPZ_PAIRS for key in pair if key not in sizes]
        if lacking:
            raise Unreadable(f"it has {', '.join(sizes) or 'nothing'}, and no {lacking[0]}")
        _check_size(sum(sizes.values()))
    with np.load(path, allow_pickle=False) as arrays:
        for x, y in _NPZ_PAIRS:
            yield _bytes(arrays[x]), _bytes(arrays[y]).reshape(-1)


def _csv(path: Path) -> Iterator[_Pair]:
    """One image a line, its label first, with or without a header."""
    import gzip

    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        text = file.read(MAX_BYTES + 1)
    _check_size(len(text))
    num_columns = text.partition(b"\n")[0].count(b",") + 1
    if num_columns != 1 + SIDE * SIDE:
        raise Unreadable(f"its lines have {num_columns} values, not a label and {SIDE * SIDE}")
    has_header = not text[:1].isdigit()
    table = np.loadtxt(io.BytesIO(text), delimiter=",", dtype=np.uint8, skiprows=int(has_header))
    yield np.ascontiguousarray(table[:, 1:]), np.ascontiguousarray(table[:, 0])


def _parquet(path: Path) -> Iterator[_Pair]:
    """The columns `image` (PNG files) and `label`."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise Unreadable("parquet needs pyarrow: pip install 'mnist_seq[parquet]'") from None
    try:
        groups = pyarrow.parquet.ParquetFile(path).metadata
        _check_size(sum(groups.row_group(i).total_byte_size for i in range(groups.num_row_groups)))
        _check_size(groups.num_rows * SIDE * SIDE)  # a column of one repeated image takes no bytes
        table = pyarrow.parquet.read_table(path, columns=["image", "label"])
    except pyarrow.ArrowException as error:
        raise Unreadable(" ".join(str(error).split())[:200]) from error
    images = [_picture(each["bytes"]) for each in table.column("image").to_pylist()]
    yield np.stack(images), _bytes(table.column("label").to_numpy())


def _picture(content: bytes) -> UInt8[np.ndarray, "28 28"]:
    """The pixels of a PNG file.

    Raises:
        Unreadable: it is no picture, or one of another size.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a size that PIL warns of is refused below
            image = Image.open(io.BytesIO(content), formats=["PNG"])
            if image.size != (SIDE, SIDE):  # known before the pixels are unpacked
                raise Unreadable(f"an image of {image.size[0]} x {image.size[1]}")
            return np.asarray(image.convert("L"))
    except Unreadable:
        raise
    except Exception as error:  # PIL raises many kinds, of its own too
        raise Unreadable(f"an image that is none: {type(error).__name__}") from error


def _bytes(array: Integer[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    if array.dtype.kind not in "iu" or not array.size:
        raise Unreadable(f"an array of {array.dtype} {array.shape} where bytes should be")
    if array.min() < 0 or array.max() > 255:
        raise Unreadable(f"values from {array.min()} to {array.max()}, not 0 to 255")
    return np.ascontiguousarray(array.astype(np.uint8))


def _idx(array: UInt8[np.ndarray, "..."]) -> bytes:
    """The content of the IDX file of an array."""
    assert math.prod(array.shape) == array.nbytes
    header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
    return header + array.tobytes()
