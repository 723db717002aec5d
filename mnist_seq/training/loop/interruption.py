"""Keeps stop signals until the training loop asks for them, between two steps."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from mnist_seq.runs import stop_signals
from mnist_seq.runs.errors import Interrupted

_threads: set[int] = set()  # that were asked to stop, by their idents


def stop_thread(thread: threading.Thread) -> None:
    """Ask the run that trains in a thread to save its checkpoint and stop, as SIGTERM would.

    Args:
        thread: not the main one, to which signals go.
    """
    if thread.ident is not None and thread.is_alive():
        _threads.add(thread.ident)


class Interruption:
    """Context in which the first stop signal is stored in `signum`.

    A second SIGINT raises before the first step. Later it changes nothing, because the checkpoint
    is about to be saved. Signals reach the main thread alone; in another one, `stop_thread` has the
    same effect.

    Attributes:
        has_begun: whether there are steps that the last checkpoint may lack.
        is_over: whether results are written, which is not interrupted.
    """

    def __init__(self) -> None:
        self.signum = 0
        self.has_begun = self.is_over = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            self._before = stop_signals.install(self._note)
            if lost := stop_signals.taken():
                self._note(lost, None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        stop_signals.restore(self._before, is_stopped=isinstance(error, Interrupted))
        _threads.discard(threading.get_ident())

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.is_over:
            return
        if self.signum and signum == signal.SIGINT and not self.has_begun:
            raise Interrupted(signum)
        self.signum = self.signum or signum

    def is_asked(self) -> bool:
        """Whether a signal has come, or this thread was asked to stop."""
        if threading.get_ident() in _threads:
            self.signum = signal.SIGTERM
        return bool(self.signum)

    def check(self) -> None:
        """Raise Interrupted if this run was asked to stop."""
        if self.is_asked():
            raise Interrupted(self.signum)
