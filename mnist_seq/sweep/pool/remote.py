"""A pool that gives its jobs to an engine; queue, policy and views are those of `Pool`."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mnist_seq.runs.events import Row
from mnist_seq.sweep.pool.call import INTERRUPTED, Call
from mnist_seq.sweep.pool.failures import judged
from mnist_seq.sweep.pool.jobs import Outcome, Policy, PoolJob, View
from mnist_seq.sweep.pool.pool import TICK_S, Pool
from mnist_seq.sweep.pool.stopping import Stoppable

READ_S = 1.0  # seconds between two reads of the metrics of a running job


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


class Engine(Protocol):
    """Runs calls, on this machine or elsewhere.

    Attributes:
        slots: environment of each slot; the engine gets at most one call for each slot at once.
    """

    slots: list[dict[str, str]]

    def start(self, call: Call, slot: int) -> Handle:
        """Start a call."""

    def close(self) -> None:
        """Release everything that the engine holds."""


class RemoteJob(Stoppable):
    """A job that an engine runs. Its evaluations are read from its folder."""

    def __init__(self, job: PoolJob, handle: Handle, *, slot: int, timeout_s: float) -> None:
        super().__init__(timeout_s=timeout_s)
        self.job, self.slot, self.handle = job, slot, handle
        self._read = self.started
        self._num_rows = len(job.folder.metrics())  # rows of an earlier attempt

    def events(self) -> Iterator[Row]:
        """Evaluations since the last call."""
        if time.monotonic() - self._read < READ_S:
            return
        self._read = time.monotonic()
        rows = self.job.folder.metrics()
        # a resumed run has removed the rows that it will repeat
        yield from rows[self._num_rows :]
        self._num_rows = len(rows)

    def kill(self) -> None:
        """Kill the job at once."""
        self.handle.kill()

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
            if fault.startswith(INTERRUPTED):  # also if the signal came from elsewhere
                self.note_end(fault)
        fault = fault or "the engine says that it is done, and it left no result"
        state, why = judged(self.job.folder, stopped=self.stopped, fault=fault)
        return Outcome(self.job, state, why, time.monotonic() - self.started)


class RemotePool(Pool):
    """The pool with queue, retries, limits, signals and views, for an engine."""

    def __init__(self, engine: Engine, *, policy: Policy, views: Sequence[View]) -> None:
        super().__init__(slots=engine.slots, policy=policy, views=views)
        self._engine = engine

    def run(self, jobs: Sequence[PoolJob]) -> list[Outcome]:
        """Run all jobs, then close the engine."""
        try:
            return super().run(jobs)
        finally:
            self._engine.close()

    def _open(self, job: PoolJob, slot: int) -> RemoteJob:
        folder = job.folder
        folder.clear_error()
        call = Call(
            job.work(),
            str(folder.path),
            lock=str(folder.path.parent / ".at_work" / f"{folder.path.name}.lock"),
            directory=str(Path.cwd()),
            env=_environment(self.slots[slot]),
        )
        handle = self._engine.start(call, slot)
        return RemoteJob(job, handle, slot=slot, timeout_s=self.policy.timeout_s)

    def _wait(self) -> list[RemoteJob]:
        deadline = time.monotonic() + TICK_S
        jobs = [r for r in self._running if isinstance(r, RemoteJob)]
        while not (done := [r for r in jobs if r.handle.is_done()]):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        self._pass_on_events()
        return done


def _environment(slot: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that configs read, for the job; keys and tokens are not passed."""
    return {k: v for k, v in os.environ.items() if k.startswith("MNIST_SEQ")} | dict(slot)
