"""A pool that gives its jobs to an engine; queue, policy and views are those of `Pool`."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

from mnist_seq.runs.events import Row
from mnist_seq.runs.folder import RunFolder
from mnist_seq.sweep.pool import answer
from mnist_seq.sweep.pool.call import INTERRUPTED, Call
from mnist_seq.sweep.pool.failures import judged
from mnist_seq.sweep.pool.jobs import Outcome, Policy, PoolJob, Running, View
from mnist_seq.sweep.pool.pool import TICK_S, Pool
from mnist_seq.sweep.pool.stopping import Stoppable

READ_S = 1.0  # seconds between two reads of the metrics of a running job
GONE_S = 15.0  # seconds after a kill until a job is taken for gone, whatever its engine says

STOPPED_BY = "stopped by "  # begins the fault of a call that its scheduler has stopped
HANDED_BACK = "; its turn had not come"  # ends it, of a call whose job had trained others first


class Handle(Protocol):
    """A call that an engine has started."""

    def is_done(self) -> bool:
        """Whether it has returned or was lost."""

    def fault(self) -> str:
        """Of a done call: what it returned, or why it was lost; "" for success."""

    def ask_to_stop(self) -> None:
        """Ask the job to save its checkpoint and end."""

    def kill(self) -> None:
        """Kill the job at once."""


class QueuedHandle(Handle, Protocol):
    """A call that may wait in a queue after it was started."""

    @property
    def has_begun(self) -> bool:
        """Whether its run trains, or has trained."""


class Engine(Protocol):
    """Runs calls, on this machine or elsewhere.

    Attributes:
        slots: environment of each slot; the engine gets at most one call for each slot at once.
    """

    slots: list[dict[str, str]]

    def start(self, call: Call, slot: int) -> Handle:
        """Start a call.

        Raises:
            Full: there is no room now.
            Refused: it takes no call at all.
            Exception: it does not take this one.
        """

    def close(self) -> None:
        """Release everything that the engine holds."""


class QueueingEngine(Engine, Protocol):
    """An engine whose jobs outlive the command."""

    def start_all(self, calls: Sequence[Call]) -> tuple[list[str], list[str]]:
        """Submit all calls at once: see `RemotePool.submit`."""


class RemoteJob(Stoppable):
    """A job that an engine runs. Its evaluations are read from its folder."""

    def __init__(
        self,
        job: PoolJob,
        handle: Handle,
        *,
        slot: int,
        timeout_s: float,
        is_queued: bool = False,
    ) -> None:
        super().__init__(timeout_s=timeout_s, is_queued=is_queued)
        self.job, self.slot, self.handle = job, slot, handle
        self._read = time.monotonic()
        self._rows = NewRows(job.folder)  # none of an earlier attempt
        self._checkpoint = _stamp(job.folder.checkpoint_path)

    def events(self) -> Iterator[Row]:
        """Evaluations since the last call."""
        if time.monotonic() - self._read < READ_S:
            return
        self._read = time.monotonic()
        yield from self._rows.read()

    def kill(self) -> None:
        """Kill the job at once."""
        self.handle.kill()

    def is_done(self) -> bool:
        """Whether it has ended; a job that was killed has, a while later, if nobody says so."""
        return self.handle.is_done() or self.is_given_up(after_s=GONE_S)

    def _ask(self) -> None:
        self.handle.ask_to_stop()

    def end(self, reason: str = "") -> Outcome:
        """Return the outcome of the job; a running job is killed first.

        Args:
            reason: why it is ended now, if it has not ended by itself.
        """
        self.note_end(reason)
        fault = self.fault
        if not self.handle.is_done():
            self.handle.kill()
        elif not fault:
            fault = self.handle.fault()
            if fault.startswith((INTERRUPTED, STOPPED_BY)):  # also from elsewhere
                self.note_end(fault)
        fault = fault or "the engine says that it is done, and it left no result"
        state, why = judged(self.job.folder, stopped=self.stopped, fault=fault)
        is_stopped = state == "interrupted" and self.stopped.startswith(STOPPED_BY)
        is_further = _stamp(self.job.folder.checkpoint_path) != self._checkpoint
        is_further |= fault.endswith(HANDED_BACK)
        return Outcome(self.job, state, why, self.seconds, is_stopped, is_further)


class NewRows:
    """Evaluations of a run since the last look; on a shared file system a look must be cheap."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder, self._file, self._num, self._end = folder, 0, 0, 0
        self.read()

    def read(self) -> list[Row]:
        """Those that are new."""
        try:
            stat = self._folder.metrics_path.stat()
        except OSError:
            return []
        if stat.st_ino == self._file and stat.st_size == self._end:
            return []
        if stat.st_ino == self._file and stat.st_size > self._end:
            lines, known = self._folder.metric_lines(self._end), 0
            self._num += len(lines.rows)
        else:  # a resumed run has removed the rows that it will repeat
            lines, known = self._folder.metric_lines(), self._num
            self._num = len(lines.rows)
        self._file, self._end = stat.st_ino, lines.end
        return lines.rows[known:]


class RemotePool(Pool):
    """The pool with queue, retries, limits, signals and views, for an engine.

    Args:
        is_queue: whether the engine's handles are `QueuedHandle`s. A run of theirs starts, and its
            clock with it, when the handle says so.
    """

    def __init__(
        self, engine: Engine, *, policy: Policy, views: Sequence[View], is_queue: bool = False
    ) -> None:
        super().__init__(slots=engine.slots, policy=policy, views=views)
        self._engine, self._is_queue = engine, is_queue
        self._waiting: list[RemoteJob] = []

    def run(self, jobs: Sequence[PoolJob]) -> list[Outcome]:
        """Run all jobs, then close the engine."""
        try:
            return super().run(jobs)
        finally:
            self._engine.close()

    def _open(self, job: PoolJob, slot: int) -> RemoteJob:
        handle = self._engine.start(self._call(job, slot), slot)
        return RemoteJob(
            job, handle, slot=slot, timeout_s=self.policy.timeout_s, is_queued=self._is_queue
        )

    def submit(self, jobs: Sequence[PoolJob]) -> tuple[list[str], list[str]]:
        """Give all jobs to the engine, which must be a `QueueingEngine`, and wait for none.

        Returns:
            Ids of the new jobs, and of those that an earlier command has left in the queue.

        Raises:
            ConfigError: the scheduler refuses them.
        """
        try:
            return cast(QueueingEngine, self._engine).start_all([self._call(j, 0) for j in jobs])
        finally:
            self._engine.close()

    def _call(self, job: PoolJob, slot: int) -> Call:
        folder = job.folder
        folder.clear_error()
        return Call(
            job.work(),
            str(folder.path),
            lock=str(answer.lock_path(folder.path)),
            directory=str(Path.cwd()),
            env=_environment(self.slots[slot]),
            id=answer.new_id() if self._is_queue else "",
            identity=job.identity,
            shape=job.shape,
        )

    def _note_start(self, running: Running) -> None:
        if self._is_queue:
            assert isinstance(running, RemoteJob)
            self._waiting.append(running)
        else:
            super()._note_start(running)

    def _note_begun(self) -> None:
        """Tell the views of the runs that train by now."""
        for job in list(self._waiting):
            if cast(QueuedHandle, job.handle).has_begun:
                self._waiting.remove(job)
                job.begin(time.monotonic())
                super()._note_start(job)

    def _end(self, running: Running, outcome: Outcome) -> None:
        if running in self._waiting:
            self._waiting.remove(running)
        super()._end(running, outcome)

    def _wait(self) -> list[RemoteJob]:
        deadline = time.monotonic() + TICK_S
        jobs = [r for r in self._running if isinstance(r, RemoteJob)]
        while not (done := [r for r in jobs if r.is_done()]):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        self._note_begun()
        self._pass_on_events()
        return done


def _stamp(path: Path) -> tuple[int, int]:
    """What changes whenever a checkpoint is written."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _environment(slot: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that configs read, for the job; keys and tokens are not passed."""
    return {k: v for k, v in os.environ.items() if k.startswith("MNIST_SEQ")} | dict(slot)
