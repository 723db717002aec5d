"""A job in Slurm's queue: whether it has begun, has ended, and why."""

import contextlib
import math
import re
import time
from pathlib import Path

from mnist_seq.sweep.pool.answer import Answer, AnswerFile
from mnist_seq.sweep.pool.call import INTERRUPTED
from mnist_seq.sweep.pool.remote import HANDED_BACK, STOPPED_BY
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
WORDS = 4000  # bytes at the end of a job's log, among which are Slurm's last words
_NO_MEMORY = re.compile(rb"^slurmstepd.*(oom[-_ ]kill|[Ee]xceeded .*memory limit)", re.M)
WITH_ITS_JOB = "it ended with its job"
EARLY = f"{INTERRUPTED}SIGUSR2"  # the signal before a time limit or a preemption


class SharedJob(list["SlurmHandle"]):
    """The calls of one job that works through several."""

    @property
    def begun(self) -> float:
        """When its first run began, in seconds since 1970; infinite before."""
        return min((h.answer.started for h in self if h.answer), default=math.inf)

    @property
    def are_all_asked(self) -> bool:
        """Whether nothing is left in it that is to go on."""
        return all(h.is_asked or (h.answer and h.answer.is_over) for h in self)


class SlurmHandle:
    """A submitted call.

    Args:
        job: id in Slurm's queue.
        shared: all calls of its job; None if it has a job of its own.
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
        shared: SharedJob | None = None,
    ) -> None:
        self.job, self._queue, self._orders = job, queue, orders
        self._file, self._stderr, self._limit_s = answer, stderr, limit_s
        self.answer: Answer | None = None
        self._shared = shared
        if shared is not None:
            shared.append(self)
        self._read = self._killed = float("-inf")
        self._submitted = time.monotonic()
        self._ended: float | None = None  # first seen to be over
        self.is_asked = False
        queue.watch(job)

    @property
    def has_begun(self) -> bool:
        """Whether the run trains, or has trained."""
        self._look()
        return self.answer is not None

    def is_done(self) -> bool:
        """Whether it has ended, and the reason is known as far as it can be."""
        self._look()
        state = self._queue.state(self.job)
        if self.answer is not None and self.answer.is_over:
            if self.is_asked or not self.answer.fault.startswith(INTERRUPTED):
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
        if self.answer is not None and self.answer.is_over:
            fault = self.answer.fault
            if fault.startswith(INTERRUPTED) and state in STOPS and state != UNKNOWN:
                return f"{STOPPED_BY}Slurm: {STOPS[state]}"
            if fault == EARLY:
                begun = self.answer.started if self._shared is None else self._shared.begun
                is_late = time.time() - begun > self._limit_s - AROUND_S
                return f"{STOPPED_BY}Slurm: {'time limit' if is_late else 'preemption'}"
            is_with_job = self._shared is not None and state not in (*LIVE, UNKNOWN, "")
            if fault.startswith(INTERRUPTED) and is_with_job and not self.is_asked:
                return f"{STOPPED_BY}Slurm: {WITH_ITS_JOB} (job {self.job} {state})"
            return fault
        if self._shared is not None and self._shared.begun < math.inf:
            if self.answer is None:
                why = STOPS.get(state, f"job {self.job} {state}")
                return f"{STOPPED_BY}Slurm: {why}{HANDED_BACK}"
            if state not in STOPS and not self._lacked_memory(state):
                return f"{STOPPED_BY}Slurm: {WITH_ITS_JOB} (job {self.job} {state})"
        if state in STOPS:
            return f"{STOPPED_BY}Slurm: {STOPS[state]}"
        if self._lacked_memory(state):
            return "Slurm ended its job for lack of memory; raise hydra.launcher.parameters.mem_gb"
        return f"its process died (Slurm: job {self.job} {state}); its last words: {self._stderr}"

    def ask_to_stop(self) -> None:
        """Ask the job to save its checkpoint and end: SIGTERM, and SIGKILL after KillWait."""
        self.is_asked = True
        self._queue.hurry()
        if self._shared is None or self._shared.are_all_asked:
            self._orders.give("scancel", self.job)
        else:
            self._file.order("stop")

    def kill(self) -> None:
        """Kill the job at once."""
        if time.monotonic() - self._killed < AGAIN_S:
            return
        self.is_asked, self._killed = True, time.monotonic()
        self._queue.hurry()
        if self._shared is not None and not self._shared.are_all_asked:
            self._file.order("kill")
            return
        self._orders.give("scancel", "--full", "--signal=KILL", self.job)
        self._orders.give("scancel", self.job)  # of one that waits in the queue

    def _look(self) -> None:
        """Read what the job says, not too often."""
        is_over = self.answer is not None and self.answer.is_over
        if not is_over and time.monotonic() - self._read >= READ_S:
            self.answer, self._read = self._file.read() or self.answer, time.monotonic()

    def _is_stopped(self, state: str) -> bool:
        if self._shared is not None:
            return state not in (*LIVE, UNKNOWN, "")
        return state in STOPS and state != UNKNOWN

    def _lacked_memory(self, state: str) -> bool:
        """Whether Slurm has killed the job for its memory: its state is FAILED without cgroups."""
        if state == "OUT_OF_MEMORY":
            return True
        words = b""
        with contextlib.suppress(OSError):
            words = self._stderr.read_bytes()[-WORDS:]
        return bool(_NO_MEMORY.search(words))

    def _is_over_since(self, seconds: float) -> bool:
        now = time.monotonic()
        if self._ended is None:
            self._ended = now
        return now - self._ended >= seconds
