"""Runs jobs side by side on this machine, each in a fresh process forked from a warm fork server.

A process a job is isolation by construction: no random state, thread count, default dtype, logger or
W&B run can pass from one job to the next, and a job that crashes takes nothing along. A fork costs about
10 ms, because the fork server has torch and this package imported.

Own process handling, after a look at the alternatives: `concurrent.futures` and loky break the whole pool
when one worker dies; pebble survives that, but ends a task that is too late with SIGKILL, where ours is
asked first and saves its checkpoint, and it has no channel for progress. What is left to do without them
is a loop over `multiprocessing.connection.wait`.
"""

import contextlib
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Literal, Protocol

from mnist_seq.runs.folder import RunFolder
from mnist_seq.sweep import worker
from mnist_seq.sweep.failures import cause_of_death, signature

TICK_S = 0.25  # how soon a signal or a timeout is seen

End = Literal["finished", "diverged", "failed", "interrupted"]


@dataclass(frozen=True)
class PoolJob:
    """A run for the pool.

    Attributes:
        cfg: makes the pickled config; called when the job's turn has come.
        expected_s: seconds that it is expected to take, 0 where nothing is known.
        attempt: how often it was tried before.
    """

    name: str
    folder: RunFolder
    cfg: Callable[[], bytes]
    expected_s: float = 0.0
    attempt: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    job: PoolJob
    state: End
    reason: str
    seconds: float


@dataclass(frozen=True)
class Policy:
    """What to do when something goes wrong."""

    on_failure: Literal["continue", "stop"] = "continue"
    retries: int = 0
    timeout_s: float = float("inf")
    stop_after_same_failures: int = 3
    grace_s: float = 20.0  # between asking a job to save and leave, and killing it


class View(Protocol):
    """Who is told what happens in the pool."""

    def started(self, job: PoolJob, slot: int) -> None: ...
    def event(self, job: PoolJob, event: Any) -> None: ...
    def ended(self, outcome: Outcome, *, is_retried: bool) -> None: ...
    def stopping(self, reason: str) -> None: ...


@dataclass
class _Running:
    job: PoolJob
    process: ForkServerProcess
    connection: Connection
    slot: int
    started: float
    deadline: float
    said: str = ""  # the reason that the job itself gave
    asked_to_leave: str = ""  # why we asked it to
    kill_at: float = float("inf")


class Pool:
    """A queue of jobs and the processes that work on it.

    Args:
        slots: environment of each slot; as many jobs run at once.
    """

    def __init__(
        self,
        task: worker.Task,
        *,
        slots: Sequence[dict[str, str]],
        policy: Policy,
        views: Sequence[View],
    ) -> None:
        self.task, self.slots, self.policy, self.views = task, list(slots), policy, list(views)
        self._context = multiprocessing.get_context("forkserver")
        self._running: list[_Running] = []
        self._queue: deque[PoolJob] = deque()
        self._signals: list[int] = []
        self.stop_reason = ""
        self._signatures: list[str] = []
        self._has_succeeded = False

    def run(self, jobs: Sequence[PoolJob]) -> list[Outcome]:
        """Run all jobs, the longest first, and return how each ended; unstarted ones are left out."""
        # stable: jobs of one expected length keep their order
        self._queue = deque(sorted(jobs, key=lambda job: -job.expected_s))
        outcomes: list[Outcome] = []
        with self._signals_kept():
            try:
                while self._queue or self._running:
                    self._check_signals()
                    if self.stop_reason:
                        self._queue.clear()
                    self._start_jobs()
                    for running in self._wait():
                        outcomes += self._end(running)
                    self._check_deadlines()
            finally:
                self._kill_all()
        return outcomes

    @property
    def stop_signal(self) -> int:
        """The signal that stopped the pool, or 0."""
        return self._signals[0] if self._signals else 0

    def _start_jobs(self) -> None:
        free = set(range(len(self.slots))) - {r.slot for r in self._running}
        while self._queue and free:
            self._start(self._queue.popleft(), min(free))
            free = set(range(len(self.slots))) - {r.slot for r in self._running}

    def _start(self, job: PoolJob, slot: int) -> None:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=worker.run_job,
            args=(sender, self.task, job.cfg(), str(job.folder.path), self.slots[slot]),
            name=job.name,
        )
        job.folder.clear_error()
        process.start()
        sender.close()
        now = time.monotonic()
        self._running.append(
            _Running(job, process, receiver, slot, now, now + self.policy.timeout_s)
        )
        for view in self.views:
            view.started(job, slot)

    def _wait(self) -> list[_Running]:
        """Pass events on until a job has ended, a moment has passed or a signal has come."""
        sentinels = {r.process.sentinel: r for r in self._running}
        connections = {r.connection: r for r in self._running if not r.connection.closed}
        ready = wait([*sentinels, *connections], timeout=TICK_S)
        for running in connections.values():
            self._drain(running)
        return [sentinels[item] for item in ready if isinstance(item, int) and item in sentinels]

    def _drain(self, running: _Running) -> None:
        try:
            while running.connection.poll():
                event = running.connection.recv()
                if isinstance(event, tuple):
                    running.said = event[1]
                for view in self.views:
                    view.event(running.job, event)
        except (EOFError, OSError):
            running.connection.close()

    def _end(self, running: _Running) -> list[Outcome]:
        running.process.join()
        if not running.connection.closed:
            self._drain(running)
            running.connection.close()
        self._running.remove(running)
        state, reason = self._judge(running)
        outcome = Outcome(running.job, state, reason, time.monotonic() - running.started)
        running.process.close()
        is_retried = (
            state == "failed" and running.job.attempt < self.policy.retries and not self.stop_reason
        )
        for view in self.views:
            view.ended(outcome, is_retried=is_retried)
        if is_retried:
            job = running.job
            self._queue.appendleft(
                PoolJob(job.name, job.folder, job.cfg, job.expected_s, job.attempt + 1)
            )
            return []
        self._consider_stopping(outcome)
        return [outcome]

    def _judge(self, running: _Running) -> tuple[End, str]:
        """What became of a job: its folder says it, or the way in which its process ended."""
        folder = running.job.folder
        state = folder.state()
        if state == "finished" or state == "diverged":
            return state, folder.result().get("reason", "")
        if running.asked_to_leave and not running.asked_to_leave.startswith("timeout"):
            return "interrupted", running.asked_to_leave
        reason = running.said or cause_of_death(running.process.exitcode)
        if running.asked_to_leave:
            reason = running.asked_to_leave
        if state != "failed":
            log = folder.path / worker.LOG
            folder.write_error(f"{reason}\nits output: {log}")
        return "failed", reason

    def _consider_stopping(self, outcome: Outcome) -> None:
        if self.stop_reason:
            return
        same = self.policy.stop_after_same_failures
        if outcome.state == "failed":
            if self.policy.on_failure == "stop":
                self._stop(f"{outcome.job.name} failed, and sweep.on_failure=stop")
            elif not self._has_succeeded and same:
                self._signatures.append(signature(outcome.job.folder))
                if len(self._signatures) == same and len(set(self._signatures)) == 1:
                    self._stop(
                        f"the first {same} runs failed alike ({outcome.reason}); "
                        "sweep.stop_after_same_failures=0 goes on all the same"
                    )
        elif outcome.state in ("finished", "diverged"):
            self._has_succeeded = True

    def _stop(self, reason: str) -> None:
        """Let no further job begin, and ask the running ones to save and leave."""
        self.stop_reason = reason
        for view in self.views:
            view.stopping(reason)
        for running in self._running:
            self._ask_to_leave(running, reason)

    def _ask_to_leave(self, running: _Running, reason: str) -> None:
        if not running.asked_to_leave:
            running.asked_to_leave = reason
            running.kill_at = time.monotonic() + self.policy.grace_s
            running.process.terminate()

    def _check_deadlines(self) -> None:
        now = time.monotonic()
        for running in self._running:
            if now > running.deadline:
                self._ask_to_leave(
                    running, f"timeout after {self.policy.timeout_s:g} s (sweep.timeout)"
                )
            if now > running.kill_at:
                running.process.kill()

    def _check_signals(self) -> None:
        if self._signals and not self.stop_reason:
            self._stop(f"interrupted by {signal.Signals(self._signals[0]).name}")
        if self._signals.count(signal.SIGINT) > 1:
            for running in self._running:
                running.process.kill()

    def _kill_all(self) -> None:
        for running in self._running:
            running.process.kill()
        for running in self._running:
            running.process.join()
        self._running.clear()

    @contextlib.contextmanager
    def _signals_kept(self) -> Iterator[None]:
        def note(signum: int, frame: object) -> None:
            self._signals.append(signum)

        signums = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {signum: signal.signal(signum, note) for signum in signums}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)


def start_fork_server(threads: int) -> None:
    """Start the fork server; it imports torch while the caller plans.

    Args:
        threads: of OpenMP and MKL in the jobs, unless the environment says so already.
    """
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    added = [name for name in names if name not in os.environ]
    os.environ.update(dict.fromkeys(added, str(threads)))  # read when torch is imported
    try:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(worker.PRELOAD))
        from multiprocessing import forkserver

        forkserver.ensure_running()
    finally:
        for name in added:
            del os.environ[name]


def gpu_slots(num_devices: int, per_device: int) -> list[dict[str, str]]:
    """Environments that pin each job to one GPU."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [n for n in visible.split(",") if n] or [str(i) for i in range(num_devices)]
    return [{"CUDA_VISIBLE_DEVICES": n} for _ in range(per_device) for n in names[:num_devices]]


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def log_path(folder: Path) -> Path:
    """Where a job's output lies."""
    return folder / worker.LOG
