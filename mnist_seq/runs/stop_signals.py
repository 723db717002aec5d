"""The signals that ask a command to stop: SIGINT (Ctrl-C), SIGTERM and SIGHUP (a closed terminal).

Four handlers follow each other in a command. While it imports, a signal ends it with one line
(`while_importing`). Later, outside training, a signal raises `Stopped`, and
the command ends with one line (`guarded`). While a run trains, `Interruption` keeps the signal
until the checkpoint is saved. While a sweep's pool works, the pool asks its jobs to stop.

A signal that is ignored when the command starts stays ignored, as SIGHUP is under `nohup`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mnist_seq import system
from mnist_seq.system import STOP_SIGNALS

AGAIN_S = 0.1  # seconds until a signal is sent again whose exception was lost

Handler = Callable[[int, Any], Any]


class Stopped(KeyboardInterrupt):
    """A stop signal came outside training."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {name_of(signum)}")
        self.signum = signum


class _State:
    signum = 0  # the signal that has raised `Stopped`
    is_ending = False  # whether the command is ending, so that a signal changes nothing


def while_importing(name: str, *, script: str = "") -> None:
    """Let a stop signal end the command with one line while it imports, which takes a second.

    Called by a command's module before its other imports. `guarded` follows.

    Args:
        name: the module's `__name__`. A module that something else imports changes nothing.
        script: the console script that imports the module, if there is one.
    """
    program = os.path.basename(sys.argv[0]).removesuffix(".exe")  # Windows has an .exe of a script
    if name == "__main__" or (script and program == script):
        install(_end_at_once)


def _end_at_once(signum: int, frame: object) -> None:
    os.write(2, f"interrupted by {name_of(signum)}; nothing has begun\n".encode())
    os._exit(128 + signum)


def guarded(main: Callable[[], object], *, line: str) -> None:
    """Run the main function of a command. A stop signal ends it with one line, at any moment.

    Args:
        line: printed after "interrupted by <signal>".

    Raises:
        SystemExit: with 128 + the number of the signal.
    """
    install(_raise_stopped)
    sys.unraisablehook = _send_again
    try:
        main()
    except BaseException:
        # a library may have put an error of its own in the place of `Stopped`
        if not _State.signum:
            raise
        _State.is_ending = True
        print(f"interrupted by {name_of(_State.signum)}{line}", file=sys.stderr, flush=True)
        import logging

        logging.disable()  # libraries log statistics at the exit
        raise SystemExit(128 + _State.signum) from None
    finally:
        _State.is_ending = True


def install(handler: Handler) -> dict[int, Any]:
    """Handle the stop signals that are not ignored. Returns the handlers before."""
    handled = [s for s in STOP_SIGNALS if signal.getsignal(s) is not signal.SIG_IGN]
    return {signum: signal.signal(signum, handler) for signum in handled}


def restore(handlers: dict[int, Any], *, is_stopped: bool) -> None:
    """Put back the handlers that `install` returned.

    Args:
        is_stopped: whether a signal has come. Then the command ends, and others change nothing.
    """
    if is_stopped and _raise_stopped in handlers.values():
        _State.is_ending = True
    for signum, handler in handlers.items():
        signal.signal(signum, handler)


def passed_on_to(line: Sequence[str], env: Mapping[str, str] | None = None) -> int:
    """Run a command to its end. Stop signals come here alone, and are passed on to it.

    Args:
        env: its environment; this one where it is None.

    Returns:
        Its exit code.

    Raises:
        SystemExit: a signal came, and the command has ended.
    """
    came: list[int] = []
    waiting: deque[int] = deque()  # signals that the command has not got yet
    started: list[subprocess.Popen[bytes]] = []

    def pass_on(signum: int, _: object) -> None:
        came.append(signum)
        waiting.append(signum)
        send_waiting()

    def send_waiting() -> None:  # a signal may come at any line: each is sent once
        for process in started:
            with contextlib.suppress(IndexError):
                while True:
                    process.send_signal(waiting.popleft())

    before = install(pass_on)
    try:
        process = subprocess.Popen(line, env=env, **system.own_group())
        started.append(process)
        send_waiting()
        code = process.wait()
    finally:
        restore(before, is_stopped=bool(came))
    if came:
        said = f"interrupted by {name_of(came[0])}; the same command goes on"
        print(said, file=sys.stderr, flush=True)
        raise SystemExit(128 + came[0])
    return code


def taken() -> int:
    """The number of a signal whose `Stopped` was lost in a library, or 0; the caller handles it."""
    signum, _State.signum = _State.signum, 0
    return signum


def check() -> None:
    """Raise `Stopped` again if a library has put another error in its place."""
    if _State.signum:
        raise Stopped(_State.signum) from None


def _raise_stopped(signum: int, frame: object) -> None:
    if not _State.is_ending:
        _State.signum = signum
        raise Stopped(signum)


def _send_again(lost: Any) -> None:
    """Repeat a signal whose `Stopped` was raised where Python drops exceptions (`__del__`)."""
    if isinstance(lost.exc_value, Stopped):
        again = threading.Timer(AGAIN_S, system.signal_this_process, (lost.exc_value.signum,))
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(lost)


def name_of(signum: int) -> str:
    """A signal as people know it: Ctrl-C for SIGINT."""
    return "Ctrl-C" if signum == signal.SIGINT else signal.Signals(signum).name
