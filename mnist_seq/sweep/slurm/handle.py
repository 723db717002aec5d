"""A job in Slurm's queue: whether it has begun, has ended, and why."""

import time
from pathlib import Path

from mnist_seq.sweep.pool.answer import Answer, AnswerFile
from mnist_seq.sweep.pool.call import INTERRUPTED
from mnist_seq.sweep.pool.remote import STOPPED_BY
from mnist_seq.sweep.slurm.queue import LIVE, UNKNOWN, Orders, Queue

READ_S = 1.0  # seconds between two reads of what the job says of itself
LATE_S = 5.0  # seconds until a shared file system shows what a job has written
UNSURE_S = 20.0  # seconds until a job that the queue does not know is given up
STATE_S = 20.0  # seconds to learn why a signal has come
AROUND_S = 90.0  # by which that signal may come sooner, with the time until a run trains
AGAIN_S = 10.0  # seconds between two orders to kill

# states of a job that Slurm has stopped by itself or by an order, in a user's words
STOPS = {
    "TIMEOUT": "time limit",
    "PREEMPTED": "preemption",
    "CANCELLED": "scancel",
    "NODE_FAIL": "its node failed",
    "BOOT_FAIL": "its node did not start",
    "REVOKED": "its job was revoked",
    UNKNOWN: "it knows the job no more",
}
EARLY = f"{INTERRUPTED}SIGUSR2"  # the signal before a time limit or a preemption


class SlurmHandle:
    """A submitted call.

    Args:
        job: id in Slurm's queue.
        answer: what the call says of itself.
        stderr: file with the output of submitit and of Slurm's step.
        limit_s: seconds of a job until Slurm's signal before its time limit.
    """

    def __init__(
        self,
        job: str,
        answer: AnswerFile,
        *,
        queue: Queue,
        orders: Orders,
        stderr: Path,
        limit_s: float,
    ) -> None:
        self.job, self._queue, self._orders = job, queue, orders
        self._file, self._stderr, self._limit_s = answer, stderr, limit_s
        self._answer: Answer | None = None
        self._read = self._killed = float("-inf")
        self._submitted = time.monotonic()
        self._ended: float | None = None  # first seen to be over
        self._is_asked = False
        queue.watch(job)

    @property
    def has_begun(self) -> bool:
        """Whether the run trains, or has trained."""
        self._look()
        return self._answer is not None

    def is_done(self) -> bool:
        """Whether it has ended, and the reason is known as far as it can be."""
        self._look()
        state = self._queue.state(self.job)
        if self._answer is not None and self._answer.is_over:
            if self._is_asked or not self._answer.fault.startswith(INTERRUPTED):
                return True
            self._queue.hurry()
            return self._is_over_since(STATE_S) or self._is_stopped(state)
        if state == UNKNOWN and self._queue.asked_at < self._submitted + UNSURE_S:
            return False  # it was submitted a moment ago
        if state and state not in LIVE:
            return self._is_over_since(LATE_S)
        return False

    def fault(self) -> str:
        """Why there is no result, or ""; it begins with `STOPPED_BY` if Slurm has stopped it."""
        state = self._queue.state(self.job)
        if self._answer is not None and self._answer.is_over:
            fault = self._answer.fault
            if fault.startswith(INTERRUPTED) and state in STOPS and state != UNKNOWN:
                return f"{STOPPED_BY}Slurm: {STOPS[state]}"
            if fault == EARLY:
                is_late = time.time() - self._answer.started > self._limit_s - AROUND_S
                return f"{STOPPED_BY}Slurm: {'time limit' if is_late else 'preemption'}"
            return fault
        if state in STOPS:
            return f"{STOPPED_BY}Slurm: {STOPS[state]}"
        if state == "OUT_OF_MEMORY":
            return "Slurm ended its job for lack of memory; raise hydra.launcher.parameters.mem_gb"
        return f"its process died (Slurm: job {self.job} {state}); its last words: {self._stderr}"

    def ask_to_stop(self) -> None:
        """Ask the job to save its checkpoint and end: SIGTERM, and SIGKILL after KillWait."""
        self._is_asked = True
        self._queue.hurry()
        self._orders.give("scancel", self.job)

    def kill(self) -> None:
        """Kill the job at once."""
        if time.monotonic() - self._killed < AGAIN_S:
            return
        self._is_asked, self._killed = True, time.monotonic()
        self._queue.hurry()
        self._orders.give("scancel", "--full", "--signal=KILL", self.job)
        self._orders.give("scancel", self.job)  # of one that waits in the queue

    def _look(self) -> None:
        """Read what the job says, not too often."""
        is_over = self._answer is not None and self._answer.is_over
        if not is_over and time.monotonic() - self._read >= READ_S:
            self._answer, self._read = self._file.read() or self._answer, time.monotonic()

    def _is_stopped(self, state: str) -> bool:
        return state in STOPS and state != UNKNOWN

    def _is_over_since(self, seconds: float) -> bool:
        now = time.monotonic()
        if self._ended is None:
            self._ended = now
        return now - self._ended >= seconds
