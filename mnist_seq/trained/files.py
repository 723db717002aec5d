"""Reads pictures of people's own: PNG and other files, folders of them, and NumPy's archives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from mnist_seq.runs.disk import limits

if TYPE_CHECKING:
    from PIL.Image import Image

Fit = Literal["none", "mnist"]
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm")
_ARRAYS = (".npz", ".npy")
_EXAMPLES = ("image", "images", "x", "X", "x_test")
_LABELS = ("label", "labels", "y", "Y", "y_test")
_MOST_PIXELS = 50_000_000
BOX, SIDE = 20, 28  # of MNIST's digits: scaled to the box, then placed in the picture


@dataclass(frozen=True, eq=False)
class Given:
    """What files hold.

    Attributes:
        names: of each example.
        labels: classes, where the file has some.
    """

    names: list[str]
    examples: np.ndarray
    labels: np.ndarray | None = None


def read(paths: Sequence[Path], shape: tuple[int, ...], *, fit: Fit, is_white: bool) -> Given:
    """All examples of files and folders.

    Args:
        shape: of a picture, rows and columns.
        is_white: whether pictures are black on white.

    Raises:
        ValueError: a file is none that can be read, or a picture has another size.
    """
    if len(paths) == 1 and paths[0].suffix in _ARRAYS:
        return _arrays(paths[0], shape)
    found = [file for path in paths for file in _files(path)]
    if not found:
        raise ValueError(
            f"images names pictures or a folder of them: {', '.join(map(str, paths))} has none "
            f"({', '.join(SUFFIXES)})"
        )
    pictures = [_picture(file, shape, fit=fit, is_white=is_white) for file in found]
    return Given([file.name for file in found], np.stack(pictures))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(
            file
            for file in path.iterdir()
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
        )
    if not path.exists():
        raise ValueError(f"images must be a file or a folder: there is no {path}")
    if path.suffix.lower() not in SUFFIXES:
        kinds = ", ".join((*SUFFIXES, *_ARRAYS))
        raise ValueError(f"images must be pictures or one archive of arrays ({kinds}): {path}")
    return [path]


def _picture(file: Path, shape: tuple[int, ...], *, fit: Fit, is_white: bool) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    limits.check_regular(file)
    try:
        with Image.open(file) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise ValueError(f"{file} has {opened.width} x {opened.height} pixels, too many")
            if np.asarray(opened.convert("RGBA"))[..., 3].min() < 255:
                raise ValueError(
                    f"{file} is transparent in places, so that nobody can say what is ground; save "
                    "it without transparency"
                )
            grey = _grey(opened, file)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} must be a picture: {str(error).splitlines()[0]}") from error
    if fit == "mnist":
        return fitted(grey, is_white=is_white, name=str(file))
    if grey.shape != shape:
        wanted = f"{shape[1]} x {shape[0]}"
        raise ValueError(
            f"this run reads pictures of {wanted} pixels, and {file} has {grey.shape[1]} x "
            f"{grey.shape[0]}; choose fit=mnist to have the digit cut out and scaled"
        )
    return grey


def _grey(opened: "Image", file: Path) -> np.ndarray:
    """Bytes of a picture; 16 bits are divided by 257, where Pillow would cut them at 255."""
    if opened.mode[:1] not in "IF":
        return np.asarray(opened.convert("L"))
    wide = np.asarray(opened)
    if opened.mode[:1] == "F" or wide.min() < 0 or wide.max() >= 2**16:
        raise ValueError(
            f"{file} must have 8 or 16 bits: its values are {wide.dtype} from {wide.min():g} to "
            f"{wide.max():g}; save it as an 8-bit PNG"
        )
    return np.rint(wide / 257).astype(np.uint8)


def fitted(grey: np.ndarray, *, is_white: bool, name: str = "the picture") -> np.ndarray:
    """A picture made as MNIST's were: cut to its ink, scaled to 20 x 20, centred by its mass.

    Args:
        grey: bytes [H, W].
        is_white: whether the ground is white; it is so afterwards too.

    Source: LeCun et al. 1998, section III.A.
    """
    from PIL import Image

    ink = 255 - grey if is_white else grey
    marked = np.argwhere(ink > ink.max() // 4)
    if ink.max() < 32 or not len(marked):
        raise ValueError(f"{name} has nothing on it that could be cut out")
    (top, left), (bottom, right) = marked.min(axis=0), marked.max(axis=0) + 1
    cut = ink[top:bottom, left:right]
    scale = BOX / max(cut.shape)
    height, width = (max(1, round(size * scale)) for size in cut.shape)
    small = np.asarray(
        Image.fromarray(cut).resize((width, height), Image.Resampling.LANCZOS), dtype=np.float64
    )
    total = small.sum()
    y0 = round((SIDE - 1) / 2 - float((small.sum(1) * np.arange(height)).sum() / total))
    x0 = round((SIDE - 1) / 2 - float((small.sum(0) * np.arange(width)).sum() / total))
    y0, x0 = min(max(y0, 0), SIDE - height), min(max(x0, 0), SIDE - width)
    made = np.zeros((SIDE, SIDE), dtype=np.uint8)
    made[y0 : y0 + height, x0 : x0 + width] = np.rint(small).astype(np.uint8)
    return 255 - made if is_white else made


def _arrays(path: Path, shape: tuple[int, ...]) -> Given:
    """The examples of a .npy, or of a .npz, where labels may be too."""
    if not path.exists():
        raise ValueError(f"images must be a file or a folder: there is no {path}")
    limits.check_regular(path)
    try:
        opened = np.load(path, allow_pickle=False)
        arrays = {"x": opened} if isinstance(opened, np.ndarray) else dict(opened)
    except Exception as error:  # NumPy and zipfile raise many kinds
        raise ValueError(
            f"{path} must hold NumPy's arrays: {str(error).splitlines()[0]}"
        ) from error
    key = next((name for name in _EXAMPLES if name in arrays), "")
    if not key and len(arrays) == 1:
        (key,) = arrays
    if not key:
        raise ValueError(
            f"{path} must have an array {', '.join(_EXAMPLES)}, or one alone: it has "
            f"{', '.join(arrays) or 'none'}"
        )
    examples = arrays[key]
    examples = examples[None] if examples.shape in ((), shape) else examples
    name = next((name for name in _LABELS if name in arrays), "")
    labels = _labels(arrays, name, path, len(examples)) if name else None
    return Given([str(i) for i in range(len(examples))], examples, labels)


def _labels(arrays: Mapping[str, np.ndarray], name: str, path: Path, num: int) -> np.ndarray | None:
    """A class of each example; None where answers are of another kind.

    Raises:
        ValueError: there are more or fewer than examples.
    """
    labels = arrays[name]
    if {"label", "prediction"} <= arrays.keys():
        labels = labels[:num]  # a run's own file has pictures of its first examples alone
    if (found := len(np.atleast_1d(labels))) != num:
        raise ValueError(f"{path} must have a label of each example: {name} has {found} for {num}")
    labels = labels.reshape(num) if labels.size == num else labels
    if labels.ndim != 1 or labels.dtype.kind not in "uif":
        return None
    if not (np.isfinite(labels) & (labels == np.rint(labels))).all():
        return None
    return labels.astype(np.int64)
