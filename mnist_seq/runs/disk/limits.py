"""The largest size of each kind of file. A larger one is refused before it is read.

The limits are many times what a run writes, and small enough for any machine: a file that somebody
sent must not fill the memory. What is read of JSON takes up to 25 times its size in memory, so one
of these files costs 200 MiB at most. metrics.jsonl is read line by line (see `MAX_VALUES`).
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

KIB, MIB = 2**10, 2**20

_BY_NAME = {"run.json": 8 * MIB, "result.json": 8 * MIB, "error.txt": MIB}
_BY_SUFFIX = {
    ".json": 8 * MIB,
    ".jsonl": 256 * MIB,  # of some 200 bytes a line: a million evaluations
    ".yaml": MIB,
    ".npz": 512 * MIB,  # with what its arrays take when they are unpacked
    ".journal": 512 * MIB,
    ".wandb": 4096 * MIB,  # read in blocks
}
_OTHER = MIB
LINE = 64 * KIB  # of one line of a .jsonl; a longer one is damaged, and not parsed
MAX_DAMAGED = 1000  # lines of a .jsonl: after them, nothing that follows is worth the time
MAX_VALUES = 10_000_000  # in all lines of a .jsonl; each takes some 100 bytes of memory


def limit_of(path: Path) -> int:
    """The largest size of a file, in bytes."""
    return _BY_NAME.get(path.name) or _BY_SUFFIX.get(path.suffix, _OTHER)


def size_text(size: float) -> str:
    """A number of bytes for people, such as "5.0 GiB"."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} GiB"


def check_size(path: Path, size: int, most: int) -> None:
    """Refuse a size.

    Raises:
        ValueError: it is more than `most`.
    """
    if size > most:
        raise ValueError(
            f"{path} must have {size_text(most)} or less: it has {size_text(size)}; no run writes "
            "so much, so remove the file or its folder"
        )


def check_values(path: Path, num: int, num_damaged: int) -> None:
    """Refuse more values in a .jsonl than memory should hold, or too many damaged lines.

    Raises:
        ValueError: there are too many.
    """
    if num_damaged > MAX_DAMAGED:
        raise ValueError(
            f"{path} must have whole lines: more than {MAX_DAMAGED:,} are damaged; put it back "
            "from a copy, or remove the file or its folder"
        )
    if num > MAX_VALUES:
        raise ValueError(
            f"{path} must hold {MAX_VALUES:,} values or fewer: it holds more; no run writes so "
            "many, so remove the file or its folder"
        )


def check_regular(path: Path) -> None:
    """Refuse a pipe or a device in a file's place: reading it may never end.

    Raises:
        OSError: the path is a pipe or a device, or does not exist.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a folder fails anyway
        raise OSError(errno.EINVAL, "not a regular file", str(path))


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file to read; its size is checked. Its errors name it: a failing disk gives no name.

    Raises:
        OSError: it is missing, no regular file, or cannot be read.
        ValueError: it is too large.
    """
    try:
        check_regular(path)
        with open(path, "rb") as file:
            check_size(path, os.fstat(file.fileno()).st_size, limit_of(path))
            yield file
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        OSError, ValueError: see `opened`.
    """
    with opened(path) as file:
        most = limit_of(path)
        content = file.read(most + 1)  # a file of /proc has no size, and one may grow
        check_size(path, len(content), most)
        return content


def read_end(path: Path) -> bytes:
    """The last bytes of a text file, as many as its limit; and a line that says so.

    Raises:
        OSError: it is missing, no regular file, or cannot be read.
    """
    check_regular(path)
    with open(path, "rb") as file:
        most = limit_of(path)
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - most))
        content = file.read(most)
    if size <= most:
        return content
    told = f"{path.name} has {size_text(size)}, of which the last {size_text(most)} are read"
    return content.replace(b"\0", b"") + f"\n{told}\n".encode()
