"""The error of an impossible config. It is apart from `parse`, which imports pydantic."""

import errno
import os
import sys
from typing import NoReturn

from mnist_seq.config.text import printable


class ConfigError(ValueError):
    """A config is impossible. The text has the rule, the value and the way out, in one line."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text).replace("\n", "\\n"))


_WAYS_OUT = {
    errno.EACCES: "change its rights, or choose another folder",
    errno.EPERM: "change its rights, or choose another folder",
    errno.EROFS: "choose another folder",
    errno.ENOTDIR: "a file is where a folder should be: move it away, or choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "links lead in a circle: remove one",
    errno.ENOLCK: "mount its file system with locks, or choose a folder on another one",
    errno.ENOSPC: "free some space, or choose another folder",
    errno.EDQUOT: "free some space, or choose another folder",
}


def said(error: BaseException) -> str:
    """The text of an error; of the operating system's, the path, what it says, and the way out."""
    if not isinstance(error, OSError) or not error.errno or not error.strerror:
        return str(error)
    path = "a file" if error.filename is None else error.filename
    path = os.fsdecode(path) if isinstance(path, bytes) else path
    if way_out := _WAYS_OUT.get(error.errno):
        return f"{path} cannot be read or written: {error.strerror}; {way_out}"
    return f"{path}: {error.strerror}"


def refuse(text: str) -> NoReturn:
    """End a command with one line of error; control characters in it are escaped."""
    line = "; ".join(line.strip() for line in text.splitlines() if line.strip())
    print(f"mnist_seq: {printable(line)}", file=sys.stderr, flush=True)
    raise SystemExit(1)
