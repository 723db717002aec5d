"""Stops jobs: asks first, so that a job can save its checkpoint, and kills after a grace time."""

import time
from abc import ABC, abstractmethod

KILLED = "; killed before it had saved its checkpoint"


class Stoppable(ABC):
    """A running job that can be stopped, and that has a time limit.

    Attributes:
        started: start time, on the monotonic clock; of a job that waits in a queue, infinite.
        fault: why it is stopped, if that counts as a failure.
        stopped: why it is stopped, if that is no failure.
    """

    def __init__(self, *, timeout_s: float, is_queued: bool = False) -> None:
        self._timeout_s = timeout_s
        self.fault = self.stopped = ""
        self._kill_at = float("inf")
        self.begin(float("inf") if is_queued else time.monotonic())

    def begin(self, now: float) -> None:
        """Start the clock of its time limit."""
        self.started, self._deadline = now, now + self._timeout_s

    @property
    def seconds(self) -> float:
        """Seconds since its start; 0 of a job that waits in a queue."""
        return max(0.0, time.monotonic() - self.started)

    @abstractmethod
    def kill(self) -> None:
        """Kill it at once."""

    @abstractmethod
    def _ask(self) -> None:
        """Ask it to save its checkpoint and end."""

    def ask_to_stop(self, reason: str, *, grace_s: float, is_fault: bool = False) -> None:
        """Ask it to save its checkpoint and end; later calls change nothing."""
        if self.fault or self.stopped:
            return
        if is_fault:
            self.fault = reason
        else:
            self.stopped = reason
        self._kill_at = time.monotonic() + grace_s
        self._ask()

    def hurry(self, *, grace_s: float) -> None:
        """Shorten the grace time of a job that was asked to stop."""
        self._kill_at = min(self._kill_at, time.monotonic() + grace_s)

    def escalate(self, *, grace_s: float) -> None:
        """Ask it to stop if its time is over; kill it if its grace time is over too."""
        now = time.monotonic()
        if now > self._deadline:
            reason = f"timeout after {self._timeout_s:g} s (sweep.timeout)"
            self.ask_to_stop(reason, grace_s=grace_s, is_fault=True)
        if now > self._kill_at:
            self._note_kill()
            self.kill()

    def is_given_up(self, *, after_s: float) -> bool:
        """Whether it was killed so long ago that nobody waits for its end any more."""
        return time.monotonic() > self._kill_at + after_s

    def _note_kill(self) -> None:
        if self.stopped and not self.stopped.endswith(KILLED):
            self.stopped += KILLED

    def note_end(self, reason: str) -> None:
        """Record the reason for its end, unless there is one already."""
        if reason and not self.fault:
            self.stopped = self.stopped or reason
