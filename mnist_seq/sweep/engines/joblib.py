"""joblib: worker processes on this machine, one for each slot, reused for many runs.

Hydra's joblib plugin gives all jobs to one executor, and loses all of them when one worker dies.
Here each slot has an executor (loky) of its own, so only one job is lost.
"""

import contextlib
import functools
import math
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future
from typing import Any, ClassVar

from mnist_seq import system
from mnist_seq.sweep.engines import EngineLauncher, Number, Placement
from mnist_seq.sweep.pool.call import Call
from mnist_seq.sweep.pool.opening import Opening
from mnist_seq.sweep.pool.slots import THREADS
from mnist_seq.sweep.pool.worker import ORPHAN_GRACE_S


class JoblibLauncher(EngineLauncher):
    """Runs in worker processes of joblib."""

    package: ClassVar[str] = "joblib"
    extra: ClassVar[str] = "joblib"
    needs_posix: ClassVar[bool] = True

    slots_per_device: Number

    @property
    def placement(self) -> Placement:
        """See `Launcher`."""
        return Placement(
            workers=self.workers, grace_s=self.grace, slots_per_device=self.slots_per_device
        )

    def open_engine(self, opening: Opening) -> "JoblibEngine":
        """The workers; each starts with its first run."""
        return JoblibEngine(opening.slots, threads=opening.threads)


class JoblibEngine:
    """Runs calls in joblib's worker processes.

    Args:
        slots: environment of each worker.
        threads: threads of OpenMP and MKL in a worker, unless the environment sets them.
    """

    def __init__(self, slots: Sequence[dict[str, str]], *, threads: int) -> None:
        self.slots = list(slots)
        self._env = {name: os.environ.get(name, str(threads)) for name in THREADS}
        self._workers: dict[int, _Worker] = {}

    def start(self, call: Call, slot: int) -> "JoblibHandle":
        """Give a call to the worker of the slot; a dead worker is replaced first."""
        if slot in self._workers and not self._workers[slot].is_broken:
            with contextlib.suppress(BrokenExecutor):  # it has died since its last job
                return self._handed(call, slot)
        self._workers[slot] = _Worker({**self._env, **self.slots[slot]})
        return self._handed(call, slot)

    def _handed(self, call: Call, slot: int) -> "JoblibHandle":
        worker = self._workers[slot]
        return JoblibHandle(worker, worker.executor.submit(call))

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers.values():
            worker.kill()


class JoblibHandle:
    """A call in a worker."""

    def __init__(self, worker: "_Worker", future: "Future[str]") -> None:
        self._worker, self._future = worker, future

    def is_done(self) -> bool:
        """Whether it has returned, or its worker has died."""
        return self._future.done()

    def fault(self) -> str:
        """Why there is no result, or ""."""
        error = self._future.exception()
        if error is None:
            return self._future.result()
        self._worker.is_broken = True
        text = " ".join(str(error).split())
        _, found, codes = text.partition("The exit codes of the workers are ")
        return f"its worker died: {codes.partition('}')[0].strip('{') if found else text}"

    def ask_to_stop(self) -> None:
        """Ask the job to save its checkpoint and end."""
        self._worker.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the worker."""
        self._worker.kill()


def _begin() -> None:
    """First call in a worker: leave the group of the command, which handles its signals."""
    from joblib.externals.loky import process_executor

    os.setsid()
    system.let_stop_signals_through(are_earlier_dropped=True)
    # loky replaces a worker that has grown by 300 MB, which the import of torch does in the first
    # job; the next job may then be given to the one that leaves
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()


def _leave_with_parent(parent: int) -> None:
    """End the worker when the command has died; joblib itself would wait for ever."""
    while os.getppid() == parent:
        time.sleep(0.5)
    system.signal_this_process(signal.SIGTERM)
    time.sleep(ORPHAN_GRACE_S)
    os._exit(1)


def _send(signum: int, pid: "Future[int]") -> None:
    with contextlib.suppress(Exception):  # the worker is gone
        os.kill(pid.result(), signum)


class _Worker:
    def __init__(self, env: dict[str, str]) -> None:
        from joblib.externals import loky
        from joblib.externals.loky.backend import resource_tracker

        self.is_broken = False
        with (
            system.stop_signals_blocked()
        ):  # before the executor does, so that it outlives a SIGHUP
            resource_tracker.ensure_running()
        self.executor: Any = loky.ProcessPoolExecutor(
            max_workers=1, timeout=None, initializer=_begin, env=env
        )
        with system.stop_signals_blocked():  # until the worker has left our group
            self._pid: Future[int] = self.executor.submit(os.getpid)

    def signal(self, signum: int) -> None:
        """Send a signal, as soon as the worker has started."""
        self._pid.add_done_callback(functools.partial(_send, signum))

    def kill(self) -> None:
        self.is_broken = True
        if self._pid.done():
            self.signal(signal.SIGKILL)
        self.executor.shutdown(wait=True, kill_workers=True)
