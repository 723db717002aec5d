"""How what is at work is ended: asked to leave first, killed when it has not."""

import time
from abc import ABC, abstractmethod


class Stoppable(ABC):
    """At work until it is done, over its time, or asked to leave.

    Attributes:
        started: on the monotonic clock.
        fault: why it is ended, where that is a failure.
        stopped: why it is ended, where that is nobody's failure.
    """

    def __init__(self, *, timeout_s: float) -> None:
        self.started = time.monotonic()
        self.fault = self.stopped = ""
        self._deadline, self._timeout_s = self.started + timeout_s, timeout_s
        self._kill_at = float("inf")

    @abstractmethod
    def kill(self) -> None:
        """End it at once."""

    @abstractmethod
    def _ask(self) -> None:
        """Tell it to save its checkpoint and go."""

    def ask_to_stop(self, reason: str, *, grace_s: float, is_fault: bool = False) -> None:
        """Let it save its checkpoint and go; later calls change nothing."""
        if self.fault or self.stopped:
            return
        if is_fault:
            self.fault = reason
        else:
            self.stopped = reason
        self._kill_at = time.monotonic() + grace_s
        self._ask()

    def escalate(self, *, grace_s: float) -> None:
        """Ask it to leave when it is over its time; kill it if it was asked and has not left."""
        now = time.monotonic()
        if now > self._deadline:
            reason = f"timeout after {self._timeout_s:g} s (sweep.timeout)"
            self.ask_to_stop(reason, grace_s=grace_s, is_fault=True)
        if now > self._kill_at:
            self.kill()

    def note_end(self, reason: str) -> None:
        """Keep why it is ended now, unless something else ended it before."""
        if reason and not self.fault:
            self.stopped = self.stopped or reason
