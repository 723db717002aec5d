"""Turns a user's arrays into sequences, and refuses by name what they cannot mean.

What a network would be trained on in silence and wrongly (labels from 1, NaN, lengths of 0) is
refused; what may be meant is told in `Own.remarks`.
"""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mnist_seq.config.schema.data import MOST_OUTPUTS
from mnist_seq.tasks.examples import Part
from mnist_seq.tasks.sources.own_arrays import PARTS, arrays_of, files_of, refuse


@dataclass(frozen=True, eq=False)
class Own:
    """The content of a file; its parts are padded to one length.

    Attributes:
        parts: train and test, and valid if the file has one.
        is_token: whether a time step is a word.
        input_size: numbers of a time step, or words.
        num_outputs: classes, bits or values of an answer.
        remarks: lines for the user.
        checksum: sha256 of the file.
    """

    parts: Mapping[str, Part]
    is_token: bool
    input_size: int
    num_outputs: int
    time_steps: int
    remarks: tuple[str, ...]
    checksum: str

    @property
    def is_varied(self) -> bool:
        """Whether lengths differ."""
        return self.parts["train"].lengths is not None


def read(path: Path, *, output: str, per_step: bool) -> Own:
    """The content of a file; read once by each process.

    Args:
        output: "class", "value" or "bits".
        per_step: whether each time step has an answer.

    Raises:
        ValueError: there is no such file, or it cannot be meant so; the message names the array.
    """
    try:
        stats = [file.stat() for file in files_of(path)]
        stamp = tuple(number for stat in stats for number in (stat.st_mtime_ns, stat.st_size))
        return _read(path, stamp, output=output, per_step=per_step)
    except OSError as error:
        raise ValueError(
            f"data.path must be a file that can be read: {path}: {error.strerror}; name one with "
            "data.path=my.npz"
        ) from error


@functools.lru_cache(maxsize=2)
def _read(path: Path, stamp: tuple[int, ...], *, output: str, per_step: bool) -> Own:
    arrays = arrays_of(path)
    found: dict[str, Part] = {}
    for part in PARTS:
        if f"x_{part}" in arrays or f"y_{part}" in arrays or part != "valid":
            found[part] = _part(path, arrays, part, output, per_step=per_step)
    _check_parts(path, found, output)
    time_steps = max(part.x.shape[1] for part in found.values())
    lengths = [_lengths(part) for part in found.values()]
    is_varied = min(int(each.min()) for each in lengths) < time_steps
    has_mask = any(part.mask is not None for part in found.values())
    parts = {
        name: _padded(part, time_steps, per_step=per_step, is_varied=is_varied, has_mask=has_mask)
        for name, part in found.items()
    }
    is_token = found["train"].x.ndim == 2
    return Own(
        parts,
        is_token,
        _most(found, "x") + 1 if is_token else found["train"].x.shape[2],
        _most(found, "y") + 1 if output == "class" else _width(found["train"].y, per_step=per_step),
        time_steps,
        tuple(_remarks(found, is_token=is_token)),
        hashlib.sha256(b"".join(file.read_bytes() for file in files_of(path))).hexdigest(),
    )


def _part(
    path: Path, arrays: Mapping[str, np.ndarray], part: str, output: str, *, per_step: bool
) -> Part:
    for kind in "xy":
        if f"{kind}_{part}" not in arrays:
            refuse(path, f"{kind}_{part}", "be there", f"its {'yx'['xy'.index(kind)]} alone")
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    lengths, mask = arrays.get(f"lengths_{part}"), arrays.get(f"mask_{part}")
    for kind, array in (("x", x), ("y", y)):
        if array.dtype.kind not in "iufb":
            refuse(path, f"{kind}_{part}", "be numbers", f"{array.dtype}")
        if not array.size:
            refuse(path, f"{kind}_{part}", "hold something", f"shape {array.shape}")
    if lengths is not None:
        lengths = _checked_lengths(path, f"lengths_{part}", lengths, x)
        if len(lengths) != len(x):  # one below the other
            y = _rows(y, lengths) if per_step and len(y) == len(x) else y
            x = _rows(x if x.ndim > 1 else x[:, None] if x.dtype.kind == "f" else x, lengths)
    if x.ndim == 2 and x.dtype.kind == "f":
        x = x[..., None]
    if x.ndim != (2 if x.dtype.kind in "iu" and x.ndim == 2 else 3):
        rule = "be [n, T, D] or [n, T] numbers, or [n, T] words as whole numbers"
        refuse(path, f"x_{part}", rule, f"{x.dtype} of {x.shape}")
    _check_finite(path, f"x_{part}", x)
    x = x.astype(np.int64 if x.ndim == 2 else np.float32)
    if x.ndim == 2 and x.min() < 0:
        refuse(path, f"x_{part}", "be words from 0 on", f"{x.min()}")
    y = _answers(path, f"y_{part}", y, x.shape[:2], output, per_step=per_step)
    if mask is not None and (mask.dtype != np.bool_ or mask.shape != x.shape[:2] or not per_step):
        rule = f"be bool of {x.shape[:2]}, with data.per_step=true"
        refuse(path, f"mask_{part}", rule, f"{mask.dtype} of {mask.shape}")
    return Part(x, y, lengths, mask)


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
    if not is_whole and lengths.sum() != len(x):
        rule = f"be one for each of the {len(x)} sequences, or have the rows of x as their sum"
        refuse(path, name, rule, f"{len(lengths)} with the sum {lengths.sum()}")
    return lengths


def _rows(flat: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Sequences that lie one below the other as [n, T, ...], padded with zeros."""
    padded = np.zeros((len(lengths), int(lengths.max()), *flat.shape[1:]), dtype=flat.dtype)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = flat
    return padded


def _check_finite(path: Path, name: str, array: np.ndarray) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = np.argwhere(~np.isfinite(array))[0]
        names = ("sequence", "time step", "channel")
        where = ", ".join(f"{n} {i}" for n, i in zip(names, place, strict=False))
        refuse(path, name, "hold finite numbers", f"{array[tuple(place)]} at {where}")


def _answers(
    path: Path, name: str, y: np.ndarray, size: tuple[int, ...], output: str, *, per_step: bool
) -> np.ndarray:
    each = size if per_step else size[:1]
    if output == "class":
        if y.dtype.kind not in "iu" or y.shape != each:
            what = f"be classes, whole numbers of shape {each}"
            refuse(path, name, what, f"{y.dtype} of {y.shape}")
        if y.min() < 0:
            refuse(path, name, "be classes from 0 on", f"{y.min()} at {_first(y < 0)}")
        return y.astype(np.int64)
    wide = y[..., None] if y.shape == each else y
    if wide.shape[:-1] != each:
        refuse(path, name, f"be of shape {each} or {(*each, 'K')}", f"{y.dtype} of {y.shape}")
    _check_finite(path, name, wide)
    if output == "bits" and not np.isin(wide, (0, 1)).all():
        refuse(path, name, "be bits, 0 or 1", f"{wide[~np.isin(wide, (0, 1))][0]}")
    return wide.astype(np.float32)


def _check_parts(path: Path, parts: Mapping[str, Part], output: str) -> None:
    train = parts["train"]
    for name, part in parts.items():
        if part.x.shape[2:] != train.x.shape[2:]:
            rule = f"have the channels of x_train, {train.x.shape[2:] or 'words'}"
            refuse(path, f"x_{name}", rule, part.x.shape[2:] or "words")
        if output != "class" and part.y.shape[-1] != train.y.shape[-1]:
            rule = f"have the {train.y.shape[-1]} numbers of an answer of y_train"
            refuse(path, f"y_{name}", rule, part.y.shape[-1])
    if output == "class":
        counts = np.bincount(train.y[_counted(train)].ravel(), minlength=_most(parts, "y") + 1)
        if len(counts) > MOST_OUTPUTS:
            refuse(path, "y_train", f"have {MOST_OUTPUTS} classes or fewer", len(counts))
        if len(counts) < 2:
            refuse(path, "y_train", "have two classes or more", "class 0 alone")
        if not counts.all():
            missing = int(counts.argmin())
            rule = f"have each class from 0 to {len(counts) - 1}"
            refuse(path, "y_train", rule, f"no sequence of class {missing}")


def _counted(part: Part) -> Any:
    """An index of the answers that count."""
    if part.y.ndim == 1 or (part.mask is None and part.lengths is None):
        return ...
    inside = np.arange(part.x.shape[1]) < _lengths(part)[:, None]
    return inside if part.mask is None else inside & part.mask


def _lengths(part: Part) -> np.ndarray:
    return np.full(len(part.x), part.x.shape[1]) if part.lengths is None else part.lengths


def _most(parts: Mapping[str, Part], kind: str) -> int:
    return max(int(getattr(part, kind).max()) for part in parts.values())


def _width(y: np.ndarray, *, per_step: bool) -> int:
    return int(y.shape[1 + per_step])


def _padded(
    part: Part, time_steps: int, *, per_step: bool, is_varied: bool, has_mask: bool
) -> Part:
    """The part with padding behind each sequence; padding holds zeros, whatever was there."""
    lengths = _lengths(part).astype(np.int64)
    inside = np.arange(time_steps) < lengths[:, None]
    x, y, mask = part.x, part.y, part.mask
    if has_mask and mask is None:
        mask = np.ones(x.shape[:2], dtype=bool)
    x = _longer(x, time_steps) * inside.reshape(*inside.shape, *(1,) * (x.ndim - 2))
    y = _longer(y, time_steps) if per_step else y
    mask = None if mask is None else _longer(mask, time_steps) & inside
    return replace(
        part, x=x.astype(part.x.dtype), y=y, mask=mask, lengths=lengths if is_varied else None
    )


def _longer(array: np.ndarray, time_steps: int) -> np.ndarray:
    width = [(0, 0), (0, time_steps - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array, width)


def _remarks(parts: Mapping[str, Part], *, is_token: bool) -> list[str]:
    found, train = [], parts["train"]
    seen = {row.tobytes() for row in np.ascontiguousarray(train.x)}
    twice = sum(row.tobytes() in seen for row in np.ascontiguousarray(parts["test"].x))
    if twice and train.x.shape[1] == parts["test"].x.shape[1]:
        found.append(f"{twice} of {len(parts['test'].x)} test sequences are in x_train too")
    if not is_token:
        if train.x.shape[1] < train.x.shape[2]:
            found.append(
                f"x_train has {train.x.shape[1]} time steps of {train.x.shape[2]} channels: is it "
                "[n, T, D], and not [n, D, T]?"
            )
        still = np.flatnonzero(np.ptp(train.x, axis=(0, 1)) == 0)
        if len(still):
            found.append(f"channels of x_train that never change: {', '.join(map(str, still))}")
    return found


def _first(is_such: np.ndarray) -> str:
    return "sequence " + ", time step ".join(map(str, np.argwhere(is_such)[0]))
