"""A pool whose jobs are worked on by an engine: same queue, same rules, same views."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mnist_seq.runs.events import Row
from mnist_seq.sweep.pool.call import Call
from mnist_seq.sweep.pool.failures import judged
from mnist_seq.sweep.pool.jobs import Outcome, Policy, PoolJob, View
from mnist_seq.sweep.pool.pool import TICK_S, Pool
from mnist_seq.sweep.pool.stopping import Stoppable

READ_S = 1.0  # between two looks at the metrics of a running job


class Handle(Protocol):
    """A call that was handed to an engine."""

    def is_done(self) -> bool:
        """Whether it has returned, or was lost."""

    def fault(self) -> str:
        """Once done: what the call has returned, or why it could not return."""

    def ask_to_stop(self) -> None:
        """Let the job save its checkpoint and go."""

    def kill(self) -> None:
        """End the job at once."""


class Engine(Protocol):
    """What runs calls, somewhere.

    Attributes:
        slots: environment of each slot; as many calls are in the engine's hands at once.
    """

    slots: list[dict[str, str]]

    def start(self, call: Call, slot: int) -> Handle:
        """Hand over a call."""

    def close(self) -> None:
        """Let go of all that the engine holds."""


class RemoteJob(Stoppable):
    """A job of the pool in the hands of an engine. Its evaluations are read from its folder."""

    def __init__(self, job: PoolJob, handle: Handle, *, slot: int, timeout_s: float) -> None:
        super().__init__(timeout_s=timeout_s)
        self.job, self.slot, self.handle = job, slot, handle
        self._read = self.started
        self._num_rows = len(job.folder.metrics())  # of an earlier attempt

    def events(self) -> Iterator[Row]:
        """Evaluations since the last look."""
        if time.monotonic() - self._read < READ_S:
            return
        self._read = time.monotonic()
        rows = self.job.folder.metrics()
        # A resumed run has dropped the rows that it is about to repeat
        yield from rows[self._num_rows :]
        self._num_rows = len(rows)

    def kill(self) -> None:
        """End the job at once."""
        self.handle.kill()

    def _ask(self) -> None:
        self.handle.ask_to_stop()

    def end(self, reason: str = "") -> Outcome:
        """Judge the job; one that is still at work is ended first.

        Args:
            reason: why it is ended now, where it has not ended by itself.
        """
        self.note_end(reason)
        fault = self.fault
        if not self.handle.is_done():
            self.handle.kill()
        elif not fault:
            fault = self.handle.fault()
        fault = fault or "the engine says that it is done, and it left no result"
        state, why = judged(self.job.folder, stopped=self.stopped, fault=fault)
        return Outcome(self.job, state, why, time.monotonic() - self.started)


class RemotePool(Pool):
    """The pool's queue, retries, limits, signals and views, over an engine."""

    def __init__(self, engine: Engine, *, policy: Policy, views: Sequence[View]) -> None:
        super().__init__(slots=engine.slots, policy=policy, views=views)
        self._engine = engine

    def run(self, jobs: Sequence[PoolJob]) -> list[Outcome]:
        """Run all jobs; the engine is closed then."""
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
    """What configs read from the environment, wherever the job runs; keys and tokens stay here."""
    return {k: v for k, v in os.environ.items() if k.startswith("MNIST_SEQ")} | dict(slot)
