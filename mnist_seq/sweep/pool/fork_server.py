"""The fork server: a process that has torch and this package imported, and forks the jobs.

Only where `start_method` says so: see `starts`.
"""

import contextlib
import fcntl
import multiprocessing
import multiprocessing.util
import os
import shutil
import signal
import tempfile
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

from mnist_seq import system
from mnist_seq.sweep.pool.slots import THREADS
from mnist_seq.sweep.pool.worker import WARM_DATA

# the address of a socket has at most 103 bytes (macOS; Linux: 107); multiprocessing adds 32 or more
MOST_BYTES = 65

LOCK = "mnist_seq.lock"  # in the folder of the socket
_locks: list[int] = []  # file descriptors

# imported once in the fork server, so that forked jobs have all modules
_PRELOAD = ("mnist_seq.sweep.pool.preload",)


def start_fork_server(threads: int, *, data: str = "") -> None:
    """Start the fork server, which imports torch while the command plans.

    Args:
        threads: threads of OpenMP and MKL in the jobs, unless the environment sets them.
        data: name of a data set that is read into memory before.
    """
    wanted = {**dict.fromkeys(THREADS, str(threads)), WARM_DATA: data}
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)  # the number of threads is read when torch is imported
    try:
        multiprocessing.get_context("forkserver").set_forkserver_preload(list(_PRELOAD))
        _choose_folder_of_socket()
        with system.stop_signals_blocked():  # the server starts so too: it must outlive its jobs
            resource_tracker.ensure_running()
        # apart from the tracker, whose start lets SIGINT and SIGTERM through again
        with system.stop_signals_blocked():
            forkserver.ensure_running()
    finally:
        for name in added:
            del os.environ[name]


def is_started() -> bool:
    """Whether this process has started the fork server."""
    server: Any = forkserver._forkserver  # there is no public function for it
    return server._forkserver_pid is not None


def _choose_folder_of_socket() -> None:
    """Put the socket of the server into a folder with a short path, whatever TMPDIR is.

    Raises:
        OSError: there is no such folder.
    """
    given = tempfile.gettempdir()
    usable = (folder for folder in (given, "/tmp", "/var/tmp") if _takes_a_socket(folder))
    folder = next(usable, None)
    if folder is None:
        raise OSError(
            f"TMPDIR must name a folder of {MOST_BYTES} bytes at most, for sockets: {given}"
        )
    remove_abandoned(Path(folder))
    tempfile.tempdir = folder
    try:
        # multiprocessing remembers this folder, and removes it
        own = multiprocessing.util.get_temp_dir()
    finally:
        tempfile.tempdir = given
    # open, and so locked, until this process ends in whatever way; named once it is locked
    new = Path(own) / f"{LOCK}.new"
    _locks.append(os.open(new, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(_locks[-1], fcntl.LOCK_EX)
        new.rename(Path(own) / LOCK)


def remove_abandoned(folder: Path) -> None:
    """Remove the folders of sockets of commands that were killed; those of others stay."""
    for lock in folder.glob(f"pymp-*/{LOCK}"):
        with contextlib.suppress(OSError):  # another user's, or just removed
            fd = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
            try:
                if os.fstat(fd).st_uid == os.getuid():
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock.parent, ignore_errors=True)
            finally:
                os.close(fd)


def _takes_a_socket(folder: str) -> bool:
    return len(os.fsencode(folder)) <= MOST_BYTES and os.access(folder, os.W_OK | os.X_OK)


def stop_fork_server() -> None:
    """End the fork server at once, when no job is left.

    Otherwise it ends half a second after this process, because torch shuts down slowly, and a pipe
    after the command would wait for it.
    """
    server: Any = forkserver._forkserver  # there is no public function for it
    if server._forkserver_pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server._forkserver_pid, signal.SIGKILL)
        server._stop()
