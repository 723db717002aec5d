"""The process of a stack and its jobs, on the side of the pool."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mnist_seq.sweep.pool.failures import cause_of_death, judged
from mnist_seq.sweep.pool.jobs import Outcome, PoolJob
from mnist_seq.sweep.pool.process import WorkerProcess
from mnist_seq.sweep.stack.worker import run_stack

if TYPE_CHECKING:
    from mnist_seq.sweep.pool.starts import Context


class StackProcess(WorkerProcess):
    """A process that works on several jobs of one shape.

    Args:
        share: share of the free memory that it may use; 0 for no measurement.

    Attributes:
        jobs: its running jobs.
        is_told: whether the pool knows of its death.
        most: if it ended because of too many runs, the number that fits; else 0.

    Raises:
        OSError, EOFError: the process could not be started.
    """

    def __init__(
        self,
        context: "Context",
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
            with contextlib.suppress(OSError):  # the run has the same error, and fails alone
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
        """Pass the messages of the process to their jobs."""
        for number, event in self.messages():
            if number is None:
                self.most, why = event
                self.stopped = self.stopped or why
            else:
                self.jobs[number].heard.append(event)

    def end(self, reason: str = "") -> None:
        """End the process; later calls change nothing."""
        if not self.is_cleared:
            self.is_cleared = True
            self.exit_code = self.clear_away(reason)
            self.note_exit(self.exit_code)


class StackedJob:
    """One of the jobs of a stack.

    Attributes:
        heard: events that are not passed on yet.
        is_over: whether it has ended, while other jobs of the stack may be running.
    """

    def __init__(self, job: PoolJob, process: StackProcess, *, slot: int) -> None:
        self.job, self.slot, self.process = job, slot, process
        self.heard: list[Any] = []
        self.is_over = False
        self._said = self._stopped = ""

    def events(self) -> Iterator[Any]:
        """Events of the job since the last call."""
        while self.heard:
            event = self.heard.pop(0)
            if isinstance(event, tuple):
                state, self._said = event
                self.is_over = True
                if state == "interrupted":  # also if the signal came from elsewhere
                    self._stopped = self._said
            yield event

    def ask_to_stop(self, reason: str, *, grace_s: float, is_fault: bool = False) -> None:
        """Ask the whole stack to save its checkpoints and end; later calls change nothing."""
        if not self.process.is_cleared:
            self.process.ask_to_stop(reason, grace_s=grace_s, is_fault=is_fault)

    def hurry(self, *, grace_s: float) -> None:
        """Shorten the grace time of the whole stack."""
        if not self.process.is_cleared:
            self.process.hurry(grace_s=grace_s)

    def escalate(self, *, grace_s: float) -> None:
        """Ask the stack to stop if its time is over; kill it if its grace time is over too."""
        if not self.process.is_cleared:
            self.process.escalate(grace_s=grace_s)

    def end(self, reason: str = "") -> Outcome:
        """Return the outcome of the job. If it is running, its process ends, with all its jobs.

        Args:
            reason: why it is ended now, if it has not ended by itself.
        """
        process = self.process
        if not self.is_over:
            process.end(reason)
        fault = process.fault or self._said or cause_of_death(process.exit_code)
        stopped = process.stopped or ("" if process.fault else self._stopped)
        state, why = judged(self.job.folder, stopped=stopped, fault=fault)
        return Outcome(self.job, state, why, time.monotonic() - process.started)
