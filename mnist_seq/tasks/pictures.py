"""Pictures for people to look at, without torch and without a download."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from mnist_seq.tasks.sources.idx_files import find_files
from mnist_seq.tasks.sources.published import SOURCES

_HEADER = 16  # bytes before the pictures of an IDX file
_SIDE = 28
_REACH = 4.0  # a signal's largest value in a picture; three in 10,000 values lie beyond


def test_pictures(
    name: str, roots: Sequence[Path], indexes: Sequence[int]
) -> UInt8[np.ndarray, "N 28 28"] | None:
    """Pictures of a test set by their indexes, or None where it lies in none of the roots."""
    if name == "mnist_5k":
        from mnist_seq.tasks.sources import mnist_5k

        pictures = mnist_5k.read()[2]
        return pictures[list(indexes)] if max(indexes) < len(pictures) else None
    for root in roots:
        found = _test_signals(root) if name == "mnist1d" else _test_images(name, root)
        if found is not None and max(indexes) < len(found):
            return found[list(indexes)]
    return None


def drawn(signals: Float32[np.ndarray, "N V"]) -> UInt8[np.ndarray, "N 28 28"]:
    """Signals as white lines on black, time downwards and values to the right, as papers draw them.

    So drawn, MNIST-1D's signals look like the digits that they were made from.
    """
    num_points = 20 * _SIDE  # more than one in each pixel that the line crosses
    steps = np.arange(signals.shape[1])
    times = np.linspace(0, len(steps) - 1, num_points)
    lines = np.stack([np.interp(times, steps, signal) for signal in signals])
    columns = np.clip((lines / _REACH + 1) / 2 * _SIDE, 0, _SIDE - 1).astype(np.int64)
    rows = np.arange(num_points) * _SIDE // num_points
    pictures = np.zeros((len(signals), _SIDE, _SIDE), dtype=np.uint8)
    pictures[np.arange(len(signals))[:, None], rows, columns] = 255
    return pictures


def _test_signals(root: Path) -> UInt8[np.ndarray, "M 28 28"] | None:
    from mnist_seq.tasks.sources import mnist_1d

    try:
        return drawn(mnist_1d.read(root.expanduser().absolute() / mnist_1d.FILE)[2])
    except ValueError:  # not there, or altered: as for images below
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
