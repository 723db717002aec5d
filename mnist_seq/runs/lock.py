"""Locks a folder for one process.

The operating system frees the lock when the process ends, in whatever way it ends.
"""

import contextlib
import errno
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from mnist_seq.runs import files
from mnist_seq.runs.errors import FolderLocked

LOCK = ".lock"
HOLDER = ".lock-holder"


@contextlib.contextmanager
def locked(folder: Path, *, what: str, wait_s: float = 0.0) -> Iterator[None]:
    """Lock a folder while the block runs; a missing folder is made.

    Args:
        what: "a sweep" or "a run", for the error.
        wait_s: how long to wait for another process to free the folder.

    Raises:
        FolderLocked: another process has locked the folder.
        OutsideFolder: the lock is a link.
        OSError: the file system has no locks.
    """
    import filelock

    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(files.inside(folder, LOCK), timeout=wait_s)  # it empties the file
    try:
        lock.acquire()
    except filelock.Timeout:
        raise FolderLocked(
            f"{what} takes one command at a time: {folder} is being worked on{_holder(folder)}; "
            "wait for it, stop it, or choose another folder (sweep.name=... or hydra.run.dir=...)"
        ) from None
    except (OSError, NotImplementedError) as error:  # of a mount without locks
        code = getattr(error, "errno", None) or errno.ENOLCK
        raise OSError(code, os.strerror(code), str(folder / LOCK)) from None
    try:
        me = {"pid": os.getpid(), "host": socket.gethostname()}
        # Read only for the text of an error. So it is not written with `files.replaced`, which
        # waits for the disk, and a failure to write it is ignored
        with contextlib.suppress(OSError):
            (folder / HOLDER).unlink(missing_ok=True)  # opening a pipe would wait for a reader
            with os.fdopen(files.open_append(folder / HOLDER), "w", encoding="utf-8") as file:
                json.dump(me, file)
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def holder(folder: Path) -> str:
    """Process and machine that have locked a folder; "" for none, or for one that has died here.

    The lock itself is not tried: a run that starts at that moment would find it taken.
    """
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        found = files.read_json(folder / HOLDER)
        pid, host = int(found["pid"]), str(found["host"])
        if host != socket.gethostname() or _is_running(pid):
            return f"process {pid} on {host}"
    return ""


def _is_running(pid: int) -> bool:
    """Whether there is such a process here; on Windows, where asking would end it, always."""
    if hasattr(os, "setsid"):
        with contextlib.suppress(PermissionError):  # it is another user's
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return False
    return True


def _holder(folder: Path) -> str:
    return f" by {found}" if (found := holder(folder)) else ""
