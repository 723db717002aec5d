"""Test pictures for people to look at, without torch and without a download."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mnist_seq.data.idx_files import find_files
from mnist_seq.data.sources import SOURCES

_HEADER = 16  # bytes before the pictures of an IDX file


def test_pictures(
    name: str, roots: Sequence[Path], indexes: Sequence[int]
) -> UInt8[np.ndarray, "N 28 28"] | None:
    """Pictures of a test set by their indexes, or None where it lies in none of the roots."""
    if name == "mnist_5k":
        from mnist_seq.data import mnist_5k

        pictures = mnist_5k.read()[2]
        return pictures[list(indexes)] if max(indexes) < len(pictures) else None
    for root in roots:
        found = _test_images(name, root)
        if found is not None and max(indexes) < len(found):
            return found[list(indexes)]
    return None


def _test_images(name: str, root: Path) -> UInt8[np.ndarray, "M 28 28"] | None:
    import gzip

    if name not in SOURCES:
        return None
    try:
        found = find_files(SOURCES[name], root.expanduser().absolute())
    except (
        ValueError
    ):  # altered or unreadable: a run that needs the data says so, a report does not
        return None
    if found.missing:
        return None
    path = Path(found.files[2][0])
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return np.frombuffer(content, np.uint8, offset=_HEADER).reshape(-1, 28, 28)
