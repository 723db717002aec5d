"""Writes files whole or not at all, and reads JSON and line files; a torn last line is ignored."""

import contextlib
import errno
import json
import logging
import os
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TextIO

from mnist_seq import system
from mnist_seq.runs.disk import limits
from mnist_seq.runs.disk.kill_points import reached
from mnist_seq.runs.disk.parsing import from_json
from mnist_seq.runs.errors import OutsideFolder

_CHECKSUM = "crc32"  # over the other keys, to find bits that a disk has changed
_UNFINISHED = ".tmp"
_RECORD_LOCK, _LOCK_AGAIN_S = ".record-lock", 0.01


def inside(folder: Path, *names: str) -> Path:
    """The path of what a run, sweep or report writes below its folder.

    The folder itself may be a link: its owner may have moved it. Nothing in it may be one. A folder
    that somebody sent could lead to any file of the user, which would be overwritten.

    Raises:
        OutsideFolder: the path, or a folder on the way to it, is a link.
    """
    path = folder
    for name in names:
        path = path / name
        if path.is_symlink():
            raise OutsideFolder(
                f"{path} must be in its own folder: it is a link to {os.readlink(path)}; remove "
                "the link, or put in its place what it leads to"
            )
    return path


def make_folder(folder: Path, *names: str) -> Path:
    """Make a folder below the folder of a run, sweep or report, if it is missing.

    Raises:
        OutsideFolder: see `inside`.
    """
    path = inside(folder, *names)
    path.mkdir(parents=True, exist_ok=True)
    return path


def open_append(path: Path, flags: int = os.O_WRONLY) -> int:
    """A file descriptor that appends to a file, which is made if it is missing.

    Raises:
        OutsideFolder: a link is in its place.
    """
    inside(path.parent, path.name)
    # also refuses a link that was made since
    flags |= os.O_CREAT | os.O_APPEND | system.NO_LINK | system.BINARY
    return os.open(path, flags, 0o666)


class LogHandler(logging.FileHandler):
    """Python's log in the run's folder. A link in its place is removed: Hydra opens it first."""

    def _open(self) -> TextIO:  # type: ignore[override]
        path = Path(self.baseFilename)
        if path.is_symlink():
            path.unlink()
        return os.fdopen(open_append(path), "a", encoding=self.encoding)


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[IO[bytes]]:
    """A temporary file that is renamed to `path` when the block ends without an error.

    Its bytes are on the disk before the rename, so that neither a reader nor a power cut leaves
    half of it.
    """
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_UNFINISHED)
    try:
        reached(f"{path.name}: begun")
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            system.sync_to_disk(file.fileno())
        os.chmod(temporary, 0o666 & ~_UMASK)
        reached(f"{path.name}: written")
        system.replace(temporary, path)
        reached(f"{path.name}: renamed")
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename is None:  # a full disk gives no name
            error.filename = str(path)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


_UMASK = _umask()  # mkstemp makes private files; a run's files get the usual rights


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes that call this function.

    A file system without locks is used without one.
    """
    import filelock

    lock = filelock.FileLock(inside(folder, _RECORD_LOCK))
    with contextlib.suppress(OSError, NotImplementedError):
        lock.acquire(poll_interval=_LOCK_AGAIN_S)
    try:
        yield
    finally:
        lock.release()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    with replaced(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    write_bytes(path, text.encode())


def clear_unfinished(folder: Path) -> None:
    """Remove temporary files of processes that died. Nobody else may be writing in the folder."""
    for path in folder.glob(f".*{_UNFINISHED}"):
        if path.is_symlink() or not path.is_dir():  # a folder of such a name is somebody else's
            path.unlink(missing_ok=True)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object with its checksum, whole or not at all. Not-a-number becomes null."""
    write_text(path, json.dumps(_sealed(value), indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Its checksum is compared if it has one.

    Raises:
        ValueError: the file does not hold a JSON object, or was changed since; the text names it.
        FileNotFoundError: there is no such file.
    """
    try:
        content = limits.read_bytes(path)
    except FileNotFoundError:
        if path.is_symlink():  # "not written yet" would be wrong
            raise ValueError(
                f"{path} must hold JSON: it is a link to {os.readlink(path)}, which is not there"
            ) from None
        raise
    try:
        value = from_json(content)
    except ValueError as error:
        raise ValueError(f"{path} must hold JSON: {error}; remove the file or its folder") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} must hold a JSON object: found {type(value).__name__}; remove it")
    if not _is_unbroken(value):
        raise ValueError(
            f"{path} must be as it was written, and its {_CHECKSUM} says that it is not; put it "
            "back from a copy, or remove the run's folder"
        )
    return value


def append_line(path: Path, value: dict[str, Any]) -> None:
    """Append one JSON line with a single write.

    If a process died while it wrote the last line, that line is ended first.
    """
    line = _line(value)
    fd = open_append(path, os.O_RDWR)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):  # a pipe would lose the line
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        size = os.fstat(fd).st_size
        os.lseek(fd, max(0, size - 1), os.SEEK_SET)  # writes are at the end all the same
        if size and os.read(fd, 1) != b"\n":
            line = b"\n" + line
        reached(f"{path.name}: half a line", first=lambda: os.write(fd, line[: len(line) // 2]))
        written = os.write(fd, line)
        if written != len(line):  # a full disk may take part of a line without an error
            raise OSError(28, "No space left on device", str(path))
        reached(f"{path.name}: a line")
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        os.close(fd)


@dataclass(frozen=True)
class Lines:
    """The JSON lines of a file.

    Attributes:
        num_damaged: how many lines are left out.
        is_torn: the last line has no end: a process died while it wrote, or is writing.
        end: bytes up to the end of the last whole line.
    """

    rows: list[dict[str, Any]]
    num_damaged: int = 0
    is_torn: bool = False
    end: int = 0


def lines(
    path: Path, is_row: Callable[[dict[str, Any]], bool] = lambda row: True, start: int = 0
) -> Lines:
    """All whole JSON lines of a file; none where there is no file. Damaged lines are left out.

    Args:
        is_row: whether a line is one of this kind of file.
        start: byte at which the first of them begins.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is too large.
    """
    rows: list[dict[str, Any]] = []
    num_damaged = num_values = 0
    is_ended, end = True, start
    with contextlib.suppress(FileNotFoundError), limits.opened(path) as file:
        file.seek(start)
        while line := file.readline(limits.LINE):
            was_ended, is_ended = is_ended, line.endswith(b"\n")
            end = file.tell() if is_ended else end
            if not was_ended or line == b"\n":  # the rest of a line that is too long
                continue
            row = _row(line) if is_ended or len(line) < limits.LINE else None
            if row is None or not is_row(row):
                num_damaged += 1
            else:
                rows.append(row)
                num_values += len(row)
            limits.check_values(path, num_values, num_damaged)
    return Lines(rows, num_damaged, num_damaged > 0 and not is_ended, end)


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = from_json(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and _is_unbroken(row) else None


def keep_lines(path: Path, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Rewrite a line file with the rows that `keep` accepts."""
    write_bytes(path, b"".join(_line(row) for row in lines(path).rows if keep(row)))


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(_sealed(row), allow_nan=False).encode() + b"\n"


def _sealed(value: dict[str, Any]) -> dict[str, Any]:
    """The object with its checksum added."""
    value = _finite(value)
    return {**value, _CHECKSUM: _checksum(value)}


def _is_unbroken(value: dict[str, Any]) -> bool:
    """Whether the checksum is right or absent. The checksum is removed from the object."""
    found = value.pop(_CHECKSUM, None)
    return found is None or found == _checksum(value)


def _checksum(value: dict[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(value, sort_keys=True).encode()):08x}"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
