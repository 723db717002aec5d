"""One part of a user's data, from its arrays: refused by name where they cannot be meant."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mnist_seq.tasks.examples import Part
from mnist_seq.tasks.recordings.scaling import below
from mnist_seq.tasks.sources.own_arrays import refuse

MOST_WORDS = 2**16  # of a vocabulary


def part_of(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    part: str,
    *,
    output: str,
    per_step: bool,
    classes: Sequence[str],
) -> Part:
    """The part; answers that do not count are 0, and `lengths` and `mask` are as they were given.

    Args:
        part: "train", "valid" or "test".
        output: "class", "value" or "bits".
        classes: names of the classes, in whose order answers that are text are numbered.

    Raises:
        ValueError: names the array, and the sequence, time step and channel.
    """
    for kind in "xy":
        if f"{kind}_{part}" not in arrays:
            refuse(path, f"{kind}_{part}", "be there", f"its {'yx'['xy'.index(kind)]} alone")
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    lengths, mask = arrays.get(f"lengths_{part}"), arrays.get(f"mask_{part}")
    if y.dtype.kind in "US":
        y = _numbered(path, f"y_{part}", y, output, classes)
    for kind, array in (("x", x), ("y", y)):
        if array.dtype.kind not in "iufb":
            refuse(path, f"{kind}_{part}", "be numbers", f"{array.dtype}")
        if not array.size:
            refuse(path, f"{kind}_{part}", "hold something", f"shape {array.shape}")
    if lengths is not None:
        lengths = _checked_lengths(path, f"lengths_{part}", lengths, x)
        if len(lengths) != len(x):  # one below the other
            place = f"{path}: x_{part}"
            y = below(y, lengths, place=place) if per_step and len(y) == len(x) else y
            x = x if x.ndim > 1 else x[:, None] if x.dtype.kind == "f" else x
            x = below(x, lengths, place=place)
    x = _inputs(path, f"x_{part}", x, lengths)
    if mask is not None and (mask.dtype != np.bool_ or mask.shape != x.shape[:2] or not per_step):
        rule = f"be bool of {x.shape[:2]}, with data.per_step=true"
        refuse(path, f"mask_{part}", rule, f"{mask.dtype} of {mask.shape}")
    counted = _counted(path, f"mask_{part}", x, lengths, mask)
    y = _answers(path, f"y_{part}", y, counted if per_step else None, len(x), output)
    return Part(x, y, lengths, mask)


def _numbered(
    path: Path, name: str, y: np.ndarray, output: str, classes: Sequence[str]
) -> np.ndarray:
    if output != "class":
        try:
            return y.astype(np.float64)
        except ValueError:
            refuse(path, name, f"be numbers, with data.output={output}", f"{y.dtype}")
    numbers = {label: number for number, label in enumerate(classes)}
    for place, label in np.ndenumerate(y):
        if str(label) not in numbers:
            where = f"{label!s} at {_where(place)}"
            refuse(path, name, f"have classes of y_train, {', '.join(classes)[:80]}", where)
    found: np.ndarray = np.vectorize(numbers.__getitem__, otypes=[np.int64])(y.astype(str))
    return found


def _inputs(path: Path, name: str, x: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    if x.ndim == 2 and x.dtype.kind == "f":
        x = x[..., None]
    if x.ndim != (2 if x.dtype.kind in "iu" and x.ndim == 2 else 3):
        rule = "be [n, T, D] or [n, T] numbers, or [n, T] words as whole numbers"
        refuse(path, name, rule, f"{x.dtype} of {x.shape}")
    if lengths is not None:  # whatever is behind the end of a sequence is not read
        is_inside = np.arange(x.shape[1]) < lengths[:, None]
        x = np.where(is_inside.reshape(*is_inside.shape, *(1,) * (x.ndim - 2)), x, 0)
    hint = (
        "" if lengths is not None else f"; if that is padding, add {name.replace('x_', 'lengths_')}"
    )
    _check_finite(path, name, x, hint)
    if x.ndim == 2:
        if x.min() < 0:
            refuse(path, name, "be words from 0 on", f"{x.min()} at {_first(x < 0)}")
        if x.max() >= MOST_WORDS:
            rule = f"be words below {MOST_WORDS} (for numbers, save x as float)"
            refuse(path, name, rule, f"{x.max()} at {_first(x >= MOST_WORDS)}")
        return x.astype(np.int64)
    most = float(np.finfo(np.float32).max)
    if np.abs(x).max() > most:
        where = _first(np.abs(x) > most)
        refuse(path, name, "fit into float32", f"{np.abs(x).max():.4g} at {where}")
    return x.astype(np.float32)


def _checked_lengths(path: Path, name: str, lengths: np.ndarray, x: np.ndarray) -> np.ndarray:
    if lengths.dtype.kind not in "iu" or lengths.ndim != 1 or not len(lengths):
        refuse(path, name, "be whole numbers, one a sequence", f"{lengths.dtype} {lengths.shape}")
    lengths = lengths.astype(np.int64)
    if lengths.min() < 1:
        refuse(path, name, "be 1 or more", f"{lengths.min()} at sequence {lengths.argmin()}")
    is_whole = len(lengths) == len(x)
    if is_whole and x.ndim > 1 and lengths.max() > x.shape[1]:
        rule = f"be at most the {x.shape[1]} time steps of x"
        refuse(path, name, rule, f"{lengths.max()} at sequence {lengths.argmax()}")
    if not is_whole and (lengths.max() > len(x) or lengths.sum() != len(x)):
        rule = f"be one for each of the {len(x)} sequences, or have the rows of x as their sum"
        refuse(path, name, rule, f"{len(lengths)} with the sum {sum(lengths.tolist())}")
    return lengths


def _counted(
    path: Path, name: str, x: np.ndarray, lengths: np.ndarray | None, mask: np.ndarray | None
) -> np.ndarray:
    """Which answers [n, T] count, of a task with one at each time step."""
    counted = np.ones(x.shape[:2], dtype=bool) if mask is None else mask
    if lengths is not None:
        counted = counted & (np.arange(x.shape[1]) < lengths[:, None])
    if not counted.any(axis=1).all():
        row = int(counted.any(axis=1).argmin())
        refuse(path, name, "count a time step or more of each sequence", f"none of sequence {row}")
    return counted


def _answers(
    path: Path, name: str, y: np.ndarray, counted: np.ndarray | None, num: int, output: str
) -> np.ndarray:
    """Classes as int64, values and bits as float32 with their last axis; 0 where none counts."""
    each = (num,) if counted is None else counted.shape
    is_classes = output == "class"
    if is_classes and (y.dtype.kind not in "iu" or y.shape != each):
        what = f"be classes, whole numbers of shape {each}"
        refuse(path, name, what, f"{y.dtype} of {y.shape}")
    wide = y if is_classes else y[..., None] if y.shape == each else y
    if wide.shape[: len(each)] != each or wide.ndim != len(each) + (not is_classes):
        refuse(path, name, f"be of shape {each} or {(*each, 'K')}", f"{y.dtype} of {y.shape}")
    if counted is not None:
        wide = np.where(
            counted.reshape(*each, *(1,) * (wide.ndim - 2)), wide, np.zeros((), y.dtype)
        )
    if is_classes:
        if wide.min() < 0:
            where = f"{wide.min()} at {_first(wide == wide.min())}"
            refuse(path, name, "be classes from 0 on", where)
        return wide.astype(np.int64)
    _check_finite(path, name, wide)
    if output == "bits" and not np.isin(wide, (0, 1)).all():
        is_odd = ~np.isin(wide, (0, 1))
        refuse(path, name, "be bits, 0 or 1", f"{wide[is_odd][0]} at {_first(is_odd)}")
    return wide.astype(np.float32)


def _check_finite(path: Path, name: str, array: np.ndarray, hint: str = "") -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        is_odd = ~np.isfinite(array)
        value = array[tuple(np.argwhere(is_odd)[0])]
        refuse(path, name, "hold finite numbers", f"{value} at {_first(is_odd)}{hint}")


def _first(is_such: np.ndarray) -> str:
    return _where(tuple(int(i) for i in np.argwhere(is_such)[0]))


def _where(place: tuple[int, ...]) -> str:
    names = ("sequence", "time step", "channel")
    return ", ".join(f"{name} {i}" for name, i in zip(names, place, strict=False))
