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
from mnist_seq.tasks.recordings.scaling import lengths_of, longer
from mnist_seq.tasks.sources.own_arrays import PARTS, Arrays, arrays_of, files_of, refuse
from mnist_seq.tasks.sources.own_parts import part_of
from mnist_seq.tasks.sources.own_remarks import remarks_on

_LONGEST_NAME = 80  # letters of a class's name


@dataclass(frozen=True, eq=False)
class Own:
    """The content of a file; its parts are padded to one length.

    Attributes:
        parts: train and test, and valid if the file has one.
        groups: of the training sequences, as whole numbers; None if there are none.
        classes: names of the classes; empty if they have none.
        is_token: whether a time step is a word.
        input_size: numbers of a time step, or words.
        num_outputs: classes, bits or values of an answer.
        remarks: lines for the user.
        checksum: sha256 of the file.
    """

    parts: Mapping[str, Part]
    groups: np.ndarray | None
    classes: tuple[str, ...]
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
    arrays = arrays_of(path, per_step=per_step)
    classes = _names(path, arrays) if output == "class" else ()
    found: dict[str, Part] = {}
    for part in PARTS:
        if f"x_{part}" in arrays or f"y_{part}" in arrays or part != "valid":
            found[part] = part_of(path, arrays, part, output=output, per_step=per_step,
                                  classes=classes)  # fmt: skip
    groups = _groups(path, arrays, found)
    _check_parts(path, found, output, classes)
    time_steps = max(part.x.shape[1] for part in found.values())
    is_varied = min(int(lengths_of(part).min()) for part in found.values()) < time_steps
    has_mask = any(part.mask is not None for part in found.values())
    parts = {
        name: _padded(part, time_steps, per_step=per_step, is_varied=is_varied, has_mask=has_mask)
        for name, part in found.items()
    }
    is_token = found["train"].x.ndim == 2
    return Own(
        parts,
        groups.get("train"),
        classes,
        is_token,
        _most(found, "x") + 1 if is_token else found["train"].x.shape[2],
        _most(found, "y") + 1 if output == "class" else found["train"].y.shape[-1],
        time_steps,
        tuple(remarks_on(found, groups, classes)),
        hashlib.sha256(b"".join(file.read_bytes() for file in files_of(path))).hexdigest(),
    )


def _names(path: Path, arrays: Arrays) -> tuple[str, ...]:
    """Names of the classes: those of the file, or the sorted ones of answers that are text."""
    y, classes = arrays.get("y_train"), arrays.get("classes")
    if classes is None:
        if y is None or y.dtype.kind != "U":
            return ()
        return _printable(path, "y_train", tuple(map(str, np.unique(y))))
    names = _printable(path, "classes", tuple(map(str, classes.ravel())))
    if classes.ndim != 1 or classes.dtype.kind not in "USiu" or len(set(names)) < len(names):
        refuse(path, "classes", "be names, each once", f"{classes.dtype} of {classes.shape}")
    return names


def _printable(path: Path, name: str, classes: tuple[str, ...]) -> tuple[str, ...]:
    for each in classes:
        if not each.strip() or not each.isprintable() or len(each) > _LONGEST_NAME:
            rule = f"hold class names of 1 to {_LONGEST_NAME} printable letters"
            refuse(path, name, rule, f"{len(each)}: {each[:20]!a}")
    return classes


def _groups(path: Path, arrays: Arrays, parts: Mapping[str, Part]) -> dict[str, np.ndarray]:
    """The groups of the parts that have them, numbered together."""
    found = {part: arrays[f"group_{part}"] for part in PARTS if f"group_{part}" in arrays}
    for part, each in found.items():
        if part not in parts or each.shape != (num := len(parts[part].x),):
            wanted = f"({num},)" if part in parts else f"absent as x_{part} is"
            rule = f"be names or whole numbers of shape {wanted}"
            refuse(path, f"group_{part}", rule, f"{each.dtype} of {each.shape}")
        if each.dtype.kind not in "iuUS":
            refuse(path, f"group_{part}", "be names or whole numbers", f"{each.dtype}")
    if not found:
        return {}
    _, numbers = np.unique(np.concatenate([e.astype(str) for e in found.values()]),
                           return_inverse=True)  # fmt: skip
    ends = np.cumsum([len(each) for each in found.values()])
    return dict(zip(found, np.split(numbers.reshape(-1), ends[:-1]), strict=True))


def _check_parts(
    path: Path, parts: Mapping[str, Part], output: str, classes: tuple[str, ...]
) -> None:
    train = parts["train"]
    for name, part in parts.items():
        if part.x.shape[2:] != train.x.shape[2:]:
            rule = f"have the channels of x_train, {train.x.shape[2:] or 'words'}"
            refuse(path, f"x_{name}", rule, part.x.shape[2:] or "words")
        if output != "class" and part.y.shape[-1] != train.y.shape[-1]:
            rule = f"have the {train.y.shape[-1]} numbers of an answer of y_train"
            refuse(path, f"y_{name}", rule, part.y.shape[-1])
    if output == "value" and np.ptp(train.y[_index(train)]) == 0:
        refuse(path, "y_train", "have more than one value", f"{train.y[_index(train)].flat[0]:g}")
    if output == "class":
        num = max(_most(parts, "y") + 1, len(classes))
        counts = np.bincount(train.y[_index(train)].ravel(), minlength=num)
        if classes and num > len(classes):
            refuse(path, "classes", f"name the {num} classes of y", len(classes))
        if num > MOST_OUTPUTS:
            refuse(path, "y_train", f"have {MOST_OUTPUTS} classes or fewer", num)
        if num < 2:
            refuse(path, "y_train", "have two classes or more", "class 0 alone")
        if not counts.all():
            missing = int(counts.argmin())
            name = f", {classes[missing]}" if classes else ""
            rule = f"have each class from 0 to {num - 1}"
            refuse(path, "y_train", rule, f"no sequence of class {missing}{name}")


def _index(part: Part) -> Any:
    """An index of the answers that count."""
    num_steps = part.x.shape[1]
    if part.y.shape[:2] != (len(part.x), num_steps) or (part.mask is None and part.lengths is None):
        return ...
    inside = np.arange(num_steps) < lengths_of(part)[:, None]
    return inside if part.mask is None else inside & part.mask


def _most(parts: Mapping[str, Part], kind: str) -> int:
    return max(int(getattr(part, kind).max()) for part in parts.values())


def _padded(
    part: Part, time_steps: int, *, per_step: bool, is_varied: bool, has_mask: bool
) -> Part:
    """The part with zeros behind each sequence."""
    lengths = lengths_of(part).astype(np.int64)
    mask = part.mask
    if has_mask and mask is None:
        mask = np.ones(part.x.shape[:2], dtype=bool)
    if mask is not None:
        mask = longer(mask, time_steps) & (np.arange(time_steps) < lengths[:, None])
    return replace(
        part,
        x=longer(part.x, time_steps),
        y=longer(part.y, time_steps) if per_step else part.y,
        mask=mask,
        lengths=lengths if is_varied else None,
    )
