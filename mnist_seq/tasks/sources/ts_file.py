"""Reads .ts files of the UEA and UCR archive.

The format: a header of lines that begin with @ (comments with #), then a line for each sequence:
its channels, divided by colons, each of values divided by commas, and its class or value behind the
last colon. Missing values are ? or NaN. Files with time stamps are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_ENDS = ("_TRAIN.ts", "_TEST.ts")


@dataclass(frozen=True, eq=False)
class Content:
    """One file.

    Attributes:
        classes: names of the classes; empty where answers are numbers.
        sequences: each [time steps, channels].
    """

    classes: tuple[str, ...]
    sequences: list[np.ndarray]
    answers: list[str]


def find(folder: Path) -> tuple[Path, ...]:
    """The training and the test file of a folder.

    Raises:
        ValueError: there are none, or several.
    """
    found = [sorted(folder.glob(f"*{end}")) for end in _ENDS]
    # beside the set itself, aeon has one with all sequences of equal length
    plain = [[p for p in paths if p.name == f"{folder.name}{end}"] or paths
             for paths, end in zip(found, _ENDS, strict=True)]  # fmt: skip
    if [len(paths) for paths in plain] != [1, 1]:
        names = ", ".join(path.name for paths in found for path in paths) or "none"
        raise ValueError(
            f"data.path={folder} must have one file <name>_TRAIN.ts and one <name>_TEST.ts: found "
            f"{names}"
        )
    return plain[0][0], plain[1][0]


def read(train: Path, test: Path) -> dict[str, np.ndarray]:
    """The arrays of both files, by the names that an archive has.

    Raises:
        ValueError: a line is not of the format; the message names the file and the line.
    """
    contents = {part: _content(path) for part, path in (("train", train), ("test", test))}
    classes = contents["train"].classes
    if set(contents["test"].classes) != set(classes):
        raise ValueError(
            f"{test}: @classLabel must name the classes of {train.name}, {' '.join(classes)}: "
            f"found {' '.join(contents['test'].classes)}"
        )
    found = {"classes": np.array(classes)} if classes else {}
    for part, path in (("train", train), ("test", test)):
        content = contents[part]
        lengths = np.array([len(sequence) for sequence in content.sequences])
        found[f"y_{part}"] = _answers(path, content.answers, classes)
        if len(set(lengths.tolist())) == 1:
            found[f"x_{part}"] = np.stack(content.sequences)
        else:
            found[f"x_{part}"] = np.concatenate(content.sequences)
            found[f"lengths_{part}"] = lengths
    return found


def _answers(path: Path, answers: list[str], classes: tuple[str, ...]) -> np.ndarray:
    if classes:
        return np.array([classes.index(answer) for answer in answers])
    return np.array([_number(path, 0, answer) for answer in answers])


def _content(path: Path) -> Content:
    classes, sequences, answers = tuple[str, ...](), list[np.ndarray](), list[str]()
    has_begun = False
    for number, line in _lines(path):
        tag, _, rest = line.partition(" ")
        if has_begun:
            sequence, answer = _sequence(path, number, line)
            if classes and answer not in classes:
                _refuse(
                    path, number, f"end with a class of @classLabel, {' '.join(classes)}", answer
                )
            if sequences and sequence.shape[1] != sequences[0].shape[1]:
                rule = f"have the {sequences[0].shape[1]} channels of the first sequence"
                _refuse(path, number, rule, sequence.shape[1])
            sequences.append(sequence)
            answers.append(answer)
        elif tag.lower() == "@data":
            has_begun = True
        elif tag.lower() == "@classlabel" and rest.split()[:1] == ["true"]:
            classes = tuple(rest.split()[1:])
        elif tag.lower() == "@timestamps" and rest.strip().lower() == "true":
            _refuse(path, number, "be @timeStamps false", line)
        elif not tag.startswith("@"):
            _refuse(path, number, "begin with @, before the line @data", line[:40])
    if not sequences:
        raise ValueError(f"{path} must have sequences behind a line @data: found none")
    return Content(classes, sequences, answers)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text: {error}") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()


def _sequence(path: Path, number: int, line: str) -> tuple[np.ndarray, str]:
    *channels, answer = line.split(":")
    if not channels:
        _refuse(path, number, "have channels and an answer, divided by colons", line[:40])
    values = [[_number(path, number, value) for value in each.split(",")] for each in channels]
    lengths = sorted({len(each) for each in values})
    if len(lengths) > 1:
        _refuse(path, number, "have channels of one length", " and ".join(map(str, lengths)))
    return np.array(values, dtype=np.float64).T, answer.strip()


def _number(path: Path, number: int, text: str) -> float:
    if text.strip() == "?":
        return float("nan")
    try:
        return float(text)
    except ValueError:
        _refuse(path, number, "have numbers", text[:40])
        raise


def _refuse(path: Path, number: int, rule: str, found: object) -> None:
    raise ValueError(f"{path}: line {number} must {rule}: found {found}")
