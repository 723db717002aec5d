"""The fork server: a process that has torch and this package imported, and forks the jobs."""

import contextlib
import multiprocessing
import multiprocessing.util
import os
import signal
import tempfile
from multiprocessing import forkserver
from typing import Any

from mnist_seq.sweep.pool.worker import WARM_DATA

# An address holds 103 bytes at least (macOS; Linux: 107); multiprocessing adds 32 and more
MOST_BYTES = 65

# Imported once in the fork server, so that a forked job finds all modules there
_PRELOAD = ("mnist_seq.sweep.pool.preload",)
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def start_fork_server(threads: int, *, data: str = "") -> None:
    """Start the fork server; it imports torch while the caller plans.

    Args:
        threads: of OpenMP and MKL in the jobs, unless the environment says so already.
        data: a data set to have in memory.
    """
    wanted = {**dict.fromkeys(_THREADS, str(threads)), WARM_DATA: data}
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)  # the number of threads is read when torch is imported
    # Inherited: Ctrl-C at the terminal is for the sweep's own process to judge
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        multiprocessing.get_context("forkserver").set_forkserver_preload(list(_PRELOAD))
        _choose_folder_of_socket()
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)
        for name in added:
            del os.environ[name]


def _choose_folder_of_socket() -> None:
    """Let the server's socket lie where its address is short enough, whatever TMPDIR says.

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
    tempfile.tempdir = folder
    try:
        multiprocessing.util.get_temp_dir()  # which multiprocessing remembers, and removes
    finally:
        tempfile.tempdir = given


def _takes_a_socket(folder: str) -> bool:
    return len(os.fsencode(folder)) <= MOST_BYTES and os.access(folder, os.W_OK | os.X_OK)


def stop_fork_server() -> None:
    """End the fork server at once, when no job is left.

    By itself it would end with this process, half a second later: torch takes that long to shut
    down, and a pipe behind the command would wait for it.
    """
    server: Any = forkserver._forkserver  # no public call ends it
    if server._forkserver_pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server._forkserver_pid, signal.SIGKILL)
        server._stop()
