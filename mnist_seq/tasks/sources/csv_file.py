"""Reads sequences from a CSV file in long form: a line for each time step.

The columns are `part` (train, valid or test), `sequence` (any name), `y` and, if groups must stay
together, `group`; every other column is a channel. The lines of a sequence follow each other.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from mnist_seq.tasks.recordings.scaling import below

_PARTS, _NEEDED = ("train", "valid", "test"), ("part", "sequence", "y")


@dataclass
class _Part:
    """What was read of a part: rows of channels, and for each sequence its first line."""

    rows: list[list[float]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)


def read(path: Path, *, per_step: bool) -> dict[str, np.ndarray]:
    """The arrays of a file, by the names that an archive has; answers and groups are text.

    Args:
        per_step: whether each line has an answer of its own; else a sequence has one.

    Raises:
        ValueError: a line is not of the format; the message names it.
    """
    lines = _lines(path)
    _, names = next(lines, (1, []))
    lacking = [name for name in _NEEDED if name not in names]
    channels = [i for i, name in enumerate(names) if name not in (*_NEEDED, "group")]
    if lacking or not channels or len(set(names)) < len(names):
        rule = "name the columns part, sequence, y, and one or more channels, each once"
        _refuse(path, 1, rule, ", ".join(names)[:100] or "nothing")
    parts: dict[str, _Part] = {}
    before = ("", "")
    for number, values in lines:
        if len(values) != len(names):
            _refuse(path, number, f"have {len(names)} values, as line 1", len(values))
        line = dict(zip(names, values, strict=True))
        name, sequence = line["part"], line["sequence"]
        if name not in _PARTS:
            _refuse(path, number, f"have train, valid or test as its part, before {sequence}", name)
        part = parts.setdefault(name, _Part())
        is_new = (name, sequence) != before
        if is_new and sequence in part.lines:
            rule = f"follow the other lines of sequence {sequence}, from line"
            _refuse(path, number, rule, f"{part.lines[sequence]} on, and others between")
        if is_new:
            part.starts.append(len(part.rows))
            part.lines[sequence] = number
            part.groups.append(line.get("group", ""))
        elif not per_step and line["y"] != part.answers[-1]:
            rule = f"have the y of sequence {sequence}, {part.answers[-1]}"
            _refuse(path, number, f"{rule}, without data.per_step=true", line["y"])
        if is_new or per_step:
            part.answers.append(line["y"])
        part.rows.append([_number(path, number, names[i], values[i]) for i in channels])
        before = (name, sequence)
    return _arrays(path, parts, per_step=per_step, has_groups="group" in names)


def _arrays(
    path: Path, parts: dict[str, _Part], *, per_step: bool, has_groups: bool
) -> dict[str, np.ndarray]:
    found = {}
    for name, part in parts.items():
        lengths = np.diff([*part.starts, len(part.rows)])
        found[f"lengths_{name}"] = lengths
        found[f"x_{name}"] = below(np.array(part.rows), lengths, place=f"{path}: part {name}")
        answers = np.array(part.answers)
        if per_step:  # the padding, which does not count, has the first answer
            is_inside = np.arange(lengths.max()) < lengths[:, None]
            answers = np.where(is_inside, below(answers, lengths), answers[0])
        found[f"y_{name}"] = answers
        if has_groups:
            found[f"group_{name}"] = np.array(part.groups)
    return found


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for values in reader:
                if values:
                    yield reader.line_num, [value.strip() for value in values]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} must be a CSV file: {error}") from None


def _number(path: Path, number: int, name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        _refuse(path, number, f"have a number in column {name}", repr(text[:40]))


def _refuse(path: Path, number: int, rule: str, found: object) -> NoReturn:
    raise ValueError(f"{path}: line {number} must {rule}: found {found}")
