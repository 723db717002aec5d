"""The arrays of a user's data, by their names: of an archive, a CSV, or .ts files of UCR.

Nothing in a file is executed: arrays of Python objects are refused.
"""

import contextlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from mnist_seq import system
from mnist_seq.config.messages import suggestion
from mnist_seq.tasks.sources import csv_file, ts_file
from mnist_seq.tasks.sources.carried import folder_of

KINDS, PARTS = ("x", "y", "lengths", "mask", "group"), ("train", "valid", "test")
NAMES = [*(f"{kind}_{part}" for part in PARTS for kind in KINDS), "classes"]

_TEXT = 4  # bytes of memory for a byte of text, at least: numbers are read one by one

Arrays = Mapping[str, np.ndarray]


def refuse(path: Path, name: str, rule: str, found: object) -> NoReturn:
    """Refuse an array of a file."""
    raise ValueError(f"{path}: {name} must {rule}: found {found}")


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that a path means: itself, or the two files of a folder.

    Raises:
        ValueError: it is neither.
    """
    return ts_file.find(path) if path.is_dir() else (path,)


def place_of(text: str) -> Path:
    """The absolute path of `data.path`; `aeon:GunPoint` is a set that the package aeon carries.

    Raises:
        ValueError: the package is not installed, or has no such set.
    """
    package, colon, name = text.partition(":")
    if not colon or package != "aeon":
        return Path(text).expanduser().absolute()
    folder = folder_of(package)
    if folder is None:
        raise ValueError(f"data.path={text} needs the package {package}: pip install {package}")
    sets = folder / "datasets" / "data"
    known = sorted(folder.name for folder in sets.glob("*") if any(folder.glob("*_TRAIN.ts")))
    if name not in known:
        raise ValueError(
            f"data.path={text} must be a set that {package} carries: {', '.join(known) or 'none'}"
        )
    return sets / name


def arrays_of(path: Path, *, per_step: bool) -> Arrays:
    """The arrays of a file or folder.

    Args:
        per_step: whether each time step has an answer, which a CSV does not say.

    Raises:
        ValueError: it is damaged, has an array that nobody reads, or lacks one.
    """
    if path.is_dir():
        files = files_of(path)
        _check_fits(path, _TEXT * sum(file.stat().st_size for file in files))
        return ts_file.read(*files)
    if path.suffix.lower() == ".csv":
        _check_fits(path, _TEXT * path.stat().st_size)
        arrays = csv_file.read(path, per_step=per_step)
    else:
        arrays = _of_archive(path)
    for name in ("x_train", "y_train", "x_test", "y_test"):
        if name not in arrays:
            refuse(path, name, "be there", f"only {', '.join(arrays) or 'no array'}")
    return arrays


def _of_archive(path: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as whole:
        _check_fits(path, sum(part.file_size for part in whole.infolist()))
    if path.is_file() and not zipfile.is_zipfile(path):
        is_array = path.read_bytes()[:6] == b"\x93NUMPY"
        reason = "it is one array of np.save" if is_array else "it is no archive"
        raise ValueError(f"{_form(path)}: {reason}")
    try:
        # opened here, because NumPy leaves a damaged archive open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            for name in archive.files:
                if name not in NAMES:
                    hint = suggestion(name, NAMES) or f"; the arrays are {', '.join(NAMES)}"
                    raise ValueError(f"no code reads its array {name}{hint}")
                arrays[name] = _array(archive, name)
    except OSError:
        raise
    except Exception as error:  # a damaged archive raises errors of many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{_form(path)}: {reason}") from error
    return arrays


def _form(path: Path) -> str:
    return (
        f"data.path={path} must be an archive of np.savez, a .csv, or a folder with "
        "<name>_TRAIN.ts and <name>_TEST.ts"
    )


def _check_fits(path: Path, size: int) -> None:
    """Refuse what unpacks to more than the machine's memory, as few bytes can."""
    memory = system.physical_memory()
    if size > memory:
        raise ValueError(
            f"data.path={path} must fit into memory: it takes {size / 2**30:,.1f} GiB, and this "
            f"machine has {memory / 2**30:,.1f}; choose fewer sequences"
        )


def _array(archive: Any, name: str) -> np.ndarray:
    try:
        array: np.ndarray = archive[name]
        return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
    except ValueError as error:
        raise ValueError(
            f"{name} must be an array of numbers: {error}; put sequences of unequal lengths one "
            f"below the other, and their lengths into lengths_{name.partition('_')[2]}"
        ) from None
