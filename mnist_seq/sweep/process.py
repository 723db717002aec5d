"""The process of one job, as the pool sees it: started, heard, asked to leave, killed, judged."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping
from multiprocessing.context import ForkServerContext
from typing import Any

from mnist_seq.sweep import worker
from mnist_seq.sweep.failures import cause_of_death, judged
from mnist_seq.sweep.jobs import Outcome, PoolJob

JOIN_S = 5.0  # for a process that was killed; one that hangs in the kernel is left to it


class JobProcess:
    """A fresh process of the fork server that works on one job.

    It leads a process group of its own, and whatever it has started ends with it.

    Raises:
        OSError, EOFError: the process could not be started.
    """

    def __init__(
        self,
        context: ForkServerContext,
        job: PoolJob,
        task: worker.Task,
        *,
        slot: int,
        env: Mapping[str, str],
        timeout_s: float,
    ) -> None:
        self.job, self.slot = job, slot
        job.folder.clear_error()
        self.connection, sender = context.Pipe(duplex=False)
        self._process = context.Process(
            target=worker.run_job,
            args=(sender, task, job.cfg(), str(job.folder.path), dict(env)),
            name=job.name,
        )
        with sender:
            self._process.start()
        self._pid = self._process.pid
        self._started = time.monotonic()
        self._deadline, self._timeout_s = self._started + timeout_s, timeout_s
        self._kill_at = float("inf")
        self._said = ""  # the reason that the job itself gave
        self._fault = ""  # why we end it, where that is a failure
        self._stopped = ""  # why we end it, where that is nobody's failure

    @property
    def sentinel(self) -> int:
        """Ready when the process has ended."""
        return self._process.sentinel

    def events(self) -> Iterator[Any]:
        """What the job has said since the last look."""
        if self.connection.closed:
            return
        try:
            while self.connection.poll():
                event = self.connection.recv()
                if isinstance(event, tuple):
                    self._said = event[1]
                yield event
        except (EOFError, OSError):
            self.connection.close()

    def ask_to_leave(self, reason: str, *, grace_s: float, is_fault: bool = False) -> None:
        """Let the job save its checkpoint and go; later calls change nothing."""
        if self._fault or self._stopped:
            return
        if is_fault:
            self._fault = reason
        else:
            self._stopped = reason
        self._kill_at = time.monotonic() + grace_s
        self._process.terminate()

    def press(self, *, grace_s: float) -> None:
        """Ask a job to leave that is over its time; kill one that was asked and has not left."""
        now = time.monotonic()
        if now > self._deadline:
            reason = f"timeout after {self._timeout_s:g} s (sweep.timeout)"
            self.ask_to_leave(reason, grace_s=grace_s, is_fault=True)
        if now > self._kill_at:
            self.kill()

    def kill(self) -> None:
        """End the job and all that it has started, at once."""
        assert self._pid is not None
        # Its group exists once it runs our code; what it started outlives it in there
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        self._process.kill()

    def end(self, reason: str = "") -> Outcome:
        """Clear away what is left of the process, and judge it.

        Args:
            reason: why it is ended now, where it has not ended by itself.
        """
        if reason and not self._fault:
            self._stopped = self._stopped or reason
        if self._process.is_alive():
            self.kill()
        self._process.join(JOIN_S)
        exit_code = self._process.exitcode
        self.kill()
        self.connection.close()
        fault = self._fault or self._said or cause_of_death(exit_code)
        state, why = judged(self.job.folder, stopped=self._stopped, fault=fault)
        if exit_code is not None:
            self._process.close()
        return Outcome(self.job, state, why, time.monotonic() - self._started)
