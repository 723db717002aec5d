"""Several runs in one job: what works through them there, with a pool of processes of its own.

Whatever ends the job, a run that has not begun says nothing, and so is handed back.
"""

import contextlib
import functools
import os
import pickle
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from mnist_seq import system
from mnist_seq.config import members
from mnist_seq.runs.folder import RunFolder
from mnist_seq.sweep.pool import starts, worker
from mnist_seq.sweep.pool.call import INTERRUPTED, Call
from mnist_seq.sweep.pool.failures import cause_of_death
from mnist_seq.sweep.pool.jobs import PoolJob
from mnist_seq.sweep.pool.process import WorkerProcess
from mnist_seq.sweep.pool.slots import Slots, has_stacks, open_slots
from mnist_seq.sweep.stack.process import StackedJob, StackProcess
from mnist_seq.sweep.stack.sizes import most_runs, sizes

LOOK_S = 1.0  # seconds between two looks for orders to stop single runs
TICK_S = 0.25


@dataclass(frozen=True)
class Pack:
    """Trains runs in one job, as many at once as it has cores or GPUs for.

    Attributes:
        threads: CPU threads of a run.
        per_device: runs (or stacks) at once on one GPU.
        stacks_on: devices on which runs of equal shape are trained as stacks.
        max_runs: largest stack; auto: as in `StackPool`.
    """

    calls: tuple[Call, ...]
    threads: int
    per_device: int
    stacks_on: Literal["nothing", "anything", "cuda"] = "nothing"
    max_runs: int | Literal["auto"] = "auto"

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

    def most(self, slots: Slots) -> dict[str, float]:
        """The largest stack of each shape; none where each run trains alone."""
        if has_stacks(slots, self.stacks_on):
            return most_runs([call.shape for call in self.calls], slots, max_runs=self.max_runs)
        return {}


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


class _Stack(StackProcess):
    """The process of several runs, which holds their locks.

    Attributes:
        open: the calls whose end is not said yet, with their jobs.
        is_ordered: whether it ends because one of its runs was to end.
    """

    def __init__(
        self,
        calls: Sequence[Call],
        slot: int,
        *,
        env: dict[str, str],
        share: float,
    ) -> None:
        jobs = [_job(call) for call in calls]
        with _usr2_blocked():
            super().__init__(starts.context(), jobs, slot=slot, env=env, share=share, timeout_s=1e9)
        self.locks, self.is_ordered = contextlib.ExitStack(), False
        self.open: list[tuple[Call, StackedJob]] = list(zip(calls, self.jobs, strict=True))
        for call in calls:
            call.answer.begin()

    def hear(self) -> None:
        """Say which runs have ended, while others may go on."""
        super().hear()
        for call, job in list(self.open):
            for _ in job.events():  # the command reads evaluations in the folder
                pass
            if job.is_over and (outcome := job.end()).state != "interrupted":
                self.open.remove((call, job))
                _say(call, outcome.reason if outcome.state == "failed" else "")


def _job(call: Call) -> PoolJob:
    folder = RunFolder(Path(call.folder))
    return PoolJob(folder.path.name, folder, functools.partial(getattr, call, "work"))


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
        self._most, self._is_measured = pack.most(self._slots), pack.max_runs == "auto"
        self._signals, self._children = signals, list[_Child | _Stack]()
        self._looked = time.monotonic()
        self._is_stopped = False

    def run(self) -> None:
        while self._children or (self._queue and not self._signals):
            self._check_signals()
            self._start()
            self._look_for_orders()
            sentinels = {child.sentinel: child for child in self._children}
            stacks = [child for child in self._children if isinstance(child, _Stack)]
            pipes = [stack.connection for stack in stacks if not stack.connection.closed]
            ready = system.wait([*sentinels, *pipes], timeout_s=TICK_S)
            for stack in stacks:
                stack.hear()
            for child in [sentinels[item] for item in ready if isinstance(item, int)]:
                self._children.remove(child)
                if isinstance(child, _Stack):
                    self._end_stack(child)
                else:
                    self._end(child)

    def _start(self) -> None:
        while self._queue and not self._signals and len(self._children) < len(self._slots):
            slot = min(set(range(len(self._slots))) - {child.slot for child in self._children})
            group = self._next_group()
            try:
                if len(group) > 1:
                    self._start_stack(group, slot)
                elif group:
                    (call,) = group
                    own = replace(call, env={**call.env, **self._slots[slot]})
                    self._children.append(_Child(own, slot))
            except (OSError, EOFError) as error:
                for call in group:
                    _say(call, f"it could not be started: {type(error).__name__}: {error}")

    def _next_group(self) -> list[Call]:
        """The first call, and those of its shape that fit into its stack."""
        first = self._queue[0]
        if first.shape in self._most:
            alike = [call for call in self._queue if call.shape == first.shape]
            group = alike[: sizes(len(alike), self._most[first.shape])[0]]
        else:
            group = [first]
        for call in group:
            self._queue.remove(call)
        ordered = [call for call in group if call.answer.ordered()]
        for call in ordered:  # before its turn came
            _say(call, f"{INTERRUPTED}SIGTERM")
        return [call for call in group if call not in ordered]

    def _start_stack(self, group: Sequence[Call], slot: int) -> None:
        """Start a stack, without runs that another job still trains: these wait for it alone."""
        import filelock

        with contextlib.ExitStack() as stack:
            free = list[Call]()
            for call in group:
                try:
                    stack.enter_context(call.locked(wait_s=0))
                    free.append(call)
                except filelock.Timeout:
                    self._queue.append(replace(call, shape=""))
            if len(free) < 2:
                self._queue.extendleft(replace(call, shape="") for call in free)
                return
            at = self._slots[slot]
            share = 1 / self._slots.count(at) if self._is_measured else 0.0
            child = _Stack(free, slot, env={**at, **members.environment()}, share=share)
            child.locks = stack.pop_all()
            self._children.append(child)

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
            calls = [call for call, _ in child.open] if isinstance(child, _Stack) else [child.call]
            orders = {call.answer.ordered() for call in calls} - {None}
            if orders and isinstance(child, _Stack):
                child.is_ordered = True
            if "kill" in orders:
                child.kill()
            elif orders:
                child.ask_to_stop("stop", grace_s=float("inf"))

    def _end(self, child: _Child) -> None:
        code = child.clear_away()
        answer = child.call.answer.read()
        is_unsaid = answer is None or not answer.is_over
        if self._signals and answer is None:
            return  # handed back
        if self._signals and (is_unsaid or (answer and answer.fault.startswith(INTERRUPTED))):
            _say(child.call, f"{INTERRUPTED}{signal.Signals(self._signals[0]).name}")
        elif is_unsaid:
            _say(child.call, cause_of_death(code))

    def _end_stack(self, stack: _Stack) -> None:
        """Say how its runs have ended; those that were stopped for another's sake go on."""
        stack.end()
        again = list[Call]()
        for call, job in stack.open:
            if self._signals:
                _say(call, f"{INTERRUPTED}{signal.Signals(self._signals[0]).name}")
            elif stack.most or (stack.is_ordered and not call.answer.ordered()):
                again.append(call)
            else:
                outcome = job.end()
                faults = {"failed": outcome.reason, "interrupted": f"{INTERRUPTED}SIGTERM"}
                _say(call, faults.get(outcome.state, ""))
        if stack.most and again:
            shape = again[0].shape
            self._most[shape] = min(self._most[shape], stack.most)
        self._queue.extendleft(reversed(again))
        stack.locks.close()


def _say(call: Call, fault: str) -> None:
    """Say for a call how it has ended."""
    answer = call.answer
    answer.begin()
    answer.end(fault)
