"""A folder held by one process at a time.

The operating system frees such a lock when its process dies, however it dies: a lock of a dead
process is no lock.
"""

import contextlib
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
def held(folder: Path, *, what: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a folder, which is made where it is missing.

    Args:
        what: "a sweep" or "a run", for the error.
        wait_s: how long another holder may take to leave.

    Raises:
        FolderLocked: another process is at work there.
    """
    import filelock

    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK, timeout=wait_s)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise FolderLocked(
            f"{what} takes one command at a time: {folder} is being worked on{_holder(folder)}; "
            "wait for it, stop it, or choose another folder (sweep.name=... or hydra.run.dir=...)"
        ) from None
    try:
        me = {"pid": os.getpid(), "host": socket.gethostname()}
        # It only words an error: written plainly, as a whole file costs a wait for the disk, and
        # done without where something is in its way
        with contextlib.suppress(OSError):
            (folder / HOLDER).unlink(missing_ok=True)  # to open a pipe would wait for a reader
            (folder / HOLDER).write_text(json.dumps(me))
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def _holder(folder: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        holder = files.read_json(folder / HOLDER)
        return f" by process {holder.get('pid')} on {holder.get('host')}"
    return ""
