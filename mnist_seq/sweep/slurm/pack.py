"""Several runs in one job: what works through them there, with a pool of processes of its own.

Whatever ends the job, a run that has not begun says nothing, and so is handed back.
"""

import contextlib
import os
import pickle
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from mnist_seq import system
from mnist_seq.sweep.pool import starts, worker
from mnist_seq.sweep.pool.call import INTERRUPTED, Call
from mnist_seq.sweep.pool.failures import cause_of_death
from mnist_seq.sweep.pool.process import WorkerProcess
from mnist_seq.sweep.pool.slots import Slots, open_slots

LOOK_S = 1.0  # seconds between two looks for orders to stop single runs
TICK_S = 0.25


@dataclass(frozen=True)
class Pack:
    """Trains runs in one job, as many at once as it has cores or GPUs for.

    Attributes:
        threads: CPU threads of a run.
        per_device: runs at once on one GPU.
    """

    calls: tuple[Call, ...]
    threads: int
    per_device: int

    def __call__(self) -> None:
        """Train; a stop signal ends it once all runs at work have saved their checkpoints."""
        signals = list[int]()
        for signum in (signal.SIGTERM, signal.SIGUSR2):
            signal.signal(signum, lambda number, _: signals.append(number))
        os.environ.update(self.calls[0].env)
        os.chdir(self.calls[0].directory)
        with _usr2_blocked():
            starts.warm_up(self.threads, data="")
        try:
            _Work(self, signals).run()
        finally:
            starts.end()

    def slots(self) -> Slots:
        """One environment for each run that trains at once."""
        configs = [pickle.loads(call.work).job.config for call in self.calls[:1]]
        slots = open_slots(configs, per_device=self.per_device)
        if "CUDA_VISIBLE_DEVICES" in slots[0]:
            return slots
        return slots[: max(1, cores_of_job() // self.threads)]


def cores_of_job() -> int:
    """Cores that Slurm has given to this job, whether or not it binds it to them."""
    given = os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("SLURM_CPUS_ON_NODE") or ""
    return min(int(given), system.cores()) if given.isdigit() else system.cores()


class _Child(WorkerProcess):
    """The process of one run."""

    def __init__(self, call: Call, slot: int) -> None:
        self.call, self.slot = call, slot
        with _usr2_blocked():
            super().__init__(
                starts.context(), _train, (call,), name=Path(call.folder).name, timeout_s=1e9
            )


@contextlib.contextmanager
def _usr2_blocked() -> Iterator[None]:
    """Start processes that Slurm's early signal, which goes to all of a job, does not end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})


def _train(connection: Connection, call: Call) -> None:
    worker.enter(connection, [Path(call.folder)], {}, [])
    call()
    worker.leave(0)


class _Work:
    def __init__(self, pack: Pack, signals: Sequence[int]) -> None:
        self._queue, self._slots = deque(pack.calls), pack.slots()
        self._signals, self._children = signals, list[_Child]()
        self._looked = time.monotonic()
        self._is_stopped = False

    def run(self) -> None:
        while self._children or (self._queue and not self._signals):
            self._check_signals()
            self._start()
            self._look_for_orders()
            sentinels = {child.sentinel: child for child in self._children}
            for ready in system.wait(list(sentinels), timeout_s=TICK_S):
                self._end(sentinels[ready])

    def _start(self) -> None:
        while self._queue and not self._signals and len(self._children) < len(self._slots):
            call = self._queue.popleft()
            if call.answer.ordered():  # before its turn came
                _say(call, f"{INTERRUPTED}SIGTERM")
                continue
            slot = min(set(range(len(self._slots))) - {child.slot for child in self._children})
            own = replace(call, env={**call.env, **self._slots[slot]})
            try:
                self._children.append(_Child(own, slot))
            except (OSError, EOFError) as error:
                _say(call, f"it could not be started: {type(error).__name__}: {error}")

    def _check_signals(self) -> None:
        """Have all runs save their checkpoints, once."""
        if self._signals and not self._is_stopped:
            self._is_stopped = True
            for child in self._children:
                child.ask_to_stop("stop", grace_s=float("inf"))

    def _look_for_orders(self) -> None:
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        for child in self._children:
            order = child.call.answer.ordered()
            if order == "kill":
                child.kill()
            elif order:
                child.ask_to_stop(order, grace_s=float("inf"))

    def _end(self, child: _Child) -> None:
        self._children.remove(child)
        code = child.clear_away()
        answer = child.call.answer.read()
        is_unsaid = answer is None or not answer.is_over
        if self._signals and answer is None:
            return  # handed back
        if self._signals and (is_unsaid or (answer and answer.fault.startswith(INTERRUPTED))):
            _say(child.call, f"{INTERRUPTED}{signal.Signals(self._signals[0]).name}")
        elif is_unsaid:
            _say(child.call, cause_of_death(code))


def _say(call: Call, fault: str) -> None:
    """Say for a call how it has ended."""
    answer = call.answer
    answer.begin()
    answer.end(fault)
