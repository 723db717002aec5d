"""A process that trains a stack, and the jobs in it, as the pool sees them."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.context import ForkServerContext
from typing import Any

from mnist_seq.sweep.pool.failures import cause_of_death, judged
from mnist_seq.sweep.pool.jobs import Outcome, PoolJob
from mnist_seq.sweep.pool.process import WorkerProcess
from mnist_seq.sweep.stack.worker import run_stack


class StackProcess(WorkerProcess):
    """A process of the fork server that works on several jobs of one shape.

    Args:
        share: of the free memory, that it may take; 0 where it is not to measure.

    Attributes:
        jobs: at work in it.
        is_told: whether its death is known to the pool.
        most: as many runs may go together, where it left because there were too many; else 0.

    Raises:
        OSError, EOFError: the process could not be started.
    """

    def __init__(
        self,
        context: ForkServerContext,
        jobs: Sequence[PoolJob],
        *,
        slot: int,
        env: Mapping[str, str],
        share: float,
        timeout_s: float,
    ) -> None:
        self.slot, self.most = slot, 0
        self.is_cleared = self.is_told = False
        self.exit_code: int | None = None
        for job in jobs:
            with contextlib.suppress(OSError):  # the run meets it too, and fails alone
                job.folder.clear_error()
        super().__init__(
            context,
            run_stack,
            (
                [job.work() for job in jobs],
                [str(job.folder.path) for job in jobs],
                dict(env),
                share,
            ),
            name=f"{jobs[0].name} and {len(jobs) - 1} more",
            timeout_s=timeout_s,
        )
        self.jobs = [StackedJob(job, self, slot=slot) for job in jobs]

    def hear(self) -> None:
        """Hand what the process has said to the jobs that it is about."""
        for number, event in self.messages():
            if number is None:
                self.most, why = event
                self.stopped = self.stopped or why
            else:
                self.jobs[number].heard.append(event)

    def end(self, reason: str = "") -> None:
        """Clear the process away; later calls change nothing."""
        if not self.is_cleared:
            self.is_cleared = True
            self.exit_code = self.clear_away(reason)


class StackedJob:
    """One of the jobs of a stack.

    Attributes:
        heard: events that nobody was told of yet.
        is_over: whether it has told its end, while the others may go on.
    """

    def __init__(self, job: PoolJob, process: StackProcess, *, slot: int) -> None:
        self.job, self.slot, self.process = job, slot, process
        self.heard: list[Any] = []
        self.is_over = False
        self._said = ""

    def events(self) -> Iterator[Any]:
        """What the job has said since the last look."""
        while self.heard:
            event = self.heard.pop(0)
            if isinstance(event, tuple):
                self.is_over, self._said = True, event[1]
            yield event

    def ask_to_stop(self, reason: str, *, grace_s: float, is_fault: bool = False) -> None:
        """Let the whole stack save its checkpoints and go; later calls change nothing."""
        if not self.process.is_cleared:
            self.process.ask_to_stop(reason, grace_s=grace_s, is_fault=is_fault)

    def escalate(self, *, grace_s: float) -> None:
        """Ask the stack to leave that is over its time; kill one that has not left."""
        if not self.process.is_cleared:
            self.process.escalate(grace_s=grace_s)

    def end(self, reason: str = "") -> Outcome:
        """Judge the job; where it is still at work, its process is ended, and all jobs with it.

        Args:
            reason: why it is ended now, where it has not ended by itself.
        """
        process = self.process
        if not self.is_over:
            process.end(reason)
        fault = process.fault or self._said or cause_of_death(process.exit_code)
        state, why = judged(self.job.folder, stopped=process.stopped, fault=fault)
        return Outcome(self.job, state, why, time.monotonic() - process.started)
