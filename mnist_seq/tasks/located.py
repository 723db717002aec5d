"""Where a data set lies, and what identifies its content."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


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
