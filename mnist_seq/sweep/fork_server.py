"""The fork server: a process that has torch and this package imported, and forks the jobs."""

import contextlib
import multiprocessing
import os
import signal
from multiprocessing import forkserver
from typing import Any

from mnist_seq.sweep import worker

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def start_fork_server(threads: int, *, data: str = "") -> None:
    """Start the fork server; it imports torch while the caller plans.

    Args:
        threads: of OpenMP and MKL in the jobs, unless the environment says so already.
        data: a data set to have in memory.
    """
    wanted = {**dict.fromkeys(_THREADS, str(threads)), worker.WARM_DATA: data}
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)  # the number of threads is read when torch is imported
    # Inherited: Ctrl-C at the terminal is for the sweep's own process to judge
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        multiprocessing.get_context("forkserver").set_forkserver_preload(list(worker.PRELOAD))
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)
        for name in added:
            del os.environ[name]


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
