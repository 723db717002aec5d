"""Finds data files that an installed package carries, without importing the package."""

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mnist_seq.tasks.located import DataNotFound


@dataclass(frozen=True)
class Carried:
    """Files of a package.

    Args:
        package: its name.
        files: path in the package -> sha256 of the content.
        version: one that has these files.
    """

    package: str
    files: Mapping[str, str]
    version: str


def folder_of(package: str) -> Path | None:
    """The folder of an installed package; None if it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def find(carried: Carried, name: str) -> tuple[tuple[str, str], ...]:
    """(path, sha256) of the files of a data set.

    Args:
        name: of the data set, for errors and for its extra.

    Raises:
        DataNotFound: the package is not installed.
        ValueError: a file is not there, or has another content.
    """
    package, version = carried.package, carried.version
    folder = folder_of(package)
    if folder is None:
        raise DataNotFound(
            f"data={name} is carried by the package {package}, which is not installed; "
            f"pip install 'mnist_seq[{name}]'"
        )
    found = []
    for inner, sha256 in carried.files.items():
        path = folder / inner
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "none"
        if content != sha256:
            raise ValueError(
                f"data={name} is one frozen set: {path} should have sha256 {sha256}, found "
                f"{content}; pip install '{package}=={version}'"
            )
        found.append((str(path), sha256))
    return tuple(found)
