"""Stop signals of a command that waits for another one."""

import signal
import sys
from types import FrameType
from typing import Any

import pytest

from mnist_seq.runs.stop_signals import passed_on_to

LINES = 5


@pytest.mark.skipif(sys.platform == "win32", reason="there a child of its own group gets no Ctrl-C")
def test_a_stop_is_passed_on_at_whichever_line_it_comes() -> None:
    """Between the start of the command and its listing, it was kept for the next signal."""
    code = passed_on_to.__code__
    stops: list[int] = []  # the line of the stop that comes next, counted from the first handled
    seen: list[int] = []
    ended: list[int | None] = []

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code is not code:
            return None
        handler = getattr(signal.getsignal(signal.SIGINT), "__name__", "")
        if event == "line" and handler == "pass_on" and "code" not in frame.f_locals:
            seen.append(frame.f_lineno)
            if len(seen) == stops[-1]:
                signal.raise_signal(signal.SIGINT)
        if event == "return":
            ended.append(frame.f_locals.get("code"))
        return trace

    before = sys.gettrace()
    for stop in range(1, LINES + 1):
        stops.append(stop)
        seen.clear()
        sys.settrace(trace)
        try:
            with pytest.raises(SystemExit) as raised:
                passed_on_to(["sleep", "20"])
        finally:
            sys.settrace(before)
        assert raised.value.code == 130
        assert len(seen) == LINES, "of the function from its handler to the end of the command"
    assert ended == [-signal.SIGINT] * LINES
