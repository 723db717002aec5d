"""Where a data set lies, and what identifies its content."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_seq.tasks import Task


@dataclass(frozen=True)
class Located:
    """The place of a data set whose content was verified. Small; can be pickled and saved as JSON.

    Args:
        requested: name in the config, such as "mnist".
        name: name of the data set; differs from `requested` only if another one replaces it.
        files: (absolute path, checksum of the content) of each file; empty if no file is read.
        fingerprint: sha256 over name and content; the identity of the data in run.json.
        notice: line to print, or "".
        source: the settings that determine the examples, as JSON.
    """

    requested: str
    name: str
    files: tuple[tuple[str, str], ...]
    fingerprint: str
    notice: str
    source: str = "{}"


class DataNotFound(ValueError):
    """Files of a data set are missing, cannot be downloaded, and no data set may replace them."""


def fingerprint(name: str, parts: Sequence[str]) -> str:
    """sha256 over a name and the parts that identify a content."""
    return hashlib.sha256("\n".join([name, *parts]).encode()).hexdigest()


# data sets that this process has located, by (requested name, absolute root, source)
_located: dict[tuple[str, Path, str], Located] = {}


def locate(task: "Task", root: Path) -> Located:
    """Find the examples of a task; the result is cached in this process.

    Raises:
        ValueError: see `Task.locate`.
    """
    folder = absolute(root)
    key = (task.name, folder, json.dumps(task.source(), sort_keys=True))
    if key not in _located:
        _located[key] = task.locate(folder)
    return _located[key]


def remember(located: Located, root: Path) -> None:
    """Cache a result from another process, so that this process does not verify the data again.

    The command of a sweep verifies the data once, and passes the result to its workers.
    """
    _located[(located.requested, absolute(root), located.source)] = located


def absolute(root: Path) -> Path:
    """A root as an absolute path."""
    return Path(root).expanduser().absolute()
