"""Keeps SIGINT and SIGTERM until the training loop asks for them, between two steps."""

import signal
import threading
from types import FrameType, TracebackType

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
    """Context in which the first SIGINT or SIGTERM is stored in `signum`; a second SIGINT raises.

    Signals reach the main thread alone; in another one, `stop_thread` has the same effect.
    """

    def __init__(self) -> None:
        self.signum = 0
        self.is_over = False  # set while results are written, which is not interrupted
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._before[signum] = signal.signal(signum, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        _threads.discard(threading.get_ident())

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.is_over:
            return
        if self.signum and signum == signal.SIGINT:
            raise Interrupted(signum)
        self.signum = signum

    def is_asked(self) -> bool:
        """Whether a signal has come, or this thread was asked to stop."""
        if threading.get_ident() in _threads:
            self.signum = signal.SIGTERM
        return bool(self.signum)

    def check(self) -> None:
        """Raise Interrupted if this run was asked to stop."""
        if self.is_asked():
            raise Interrupted(self.signum)
