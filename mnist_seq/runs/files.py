"""Files that are either whole or not there, and line files whose torn last line is ignored."""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the place of `path` when the block ends without an error.

    Its bytes are on the disk before it gets its name, so that no reader and no power cut ever
    meets half of it.
    """
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename is None:  # a full disk names no file
            error.filename = str(path)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


_UMASK = _umask()  # mkstemp makes private files; those of a run are as readable as any other


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep other processes out that use this function on the same folder.

    Where the file system knows no locks, nobody is kept out.
    """
    fd = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)  # and with it the lock


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    with replaced(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, whole or not at all. Not-a-number becomes null."""
    write_text(path, json.dumps(_finite(value), indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: the file does not hold a JSON object; its name is in the text.
        FileNotFoundError: there is no such file.
    """
    try:
        value = json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} must hold JSON: {error}; remove the file or its folder") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} must hold a JSON object: found {type(value).__name__}; remove it")
    return value


def append_line(path: Path, value: dict[str, Any]) -> None:
    """Append one JSON line with a single write.

    A torn last line, left by a process that died in the middle of writing, is ended first, so that
    it cannot swallow the new one.
    """
    line = json.dumps(_finite(value), allow_nan=False).encode() + b"\n"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            line = b"\n" + line
        written = os.write(fd, line)
        if written != len(line):  # a full disk may take part of a line without an error
            raise OSError(28, "No space left on device", str(path))
    finally:
        os.close(fd)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole JSON lines of a file; none where there is no file. Torn lines are ignored."""
    rows = []
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError):
                row = json.loads(line)
                if isinstance(row, dict):
                    rows.append(row)
    return rows


def keep_lines(path: Path, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Rewrite a line file with the rows that `keep` accepts."""
    rows = [row for row in read_lines(path) if keep(row)]
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
