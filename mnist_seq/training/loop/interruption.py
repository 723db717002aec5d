"""SIGINT and SIGTERM as a wish that the training loop reads between two steps."""

import signal
import threading
from types import FrameType, TracebackType

from mnist_seq.runs.errors import Interrupted


class Interruption:
    """While open, the first SIGINT or SIGTERM is kept in `signum`; a second SIGINT acts at once.

    Signals reach the main thread alone; in another one this does nothing.
    """

    def __init__(self) -> None:
        self.signum = 0
        self.is_over = False  # once the result is written, there is nothing left to interrupt
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

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.is_over:
            return
        if self.signum and signum == signal.SIGINT:
            raise Interrupted(signum)
        self.signum = signum

    def check(self) -> None:
        """Raise Interrupted if a signal has come."""
        if self.signum:
            raise Interrupted(self.signum)
