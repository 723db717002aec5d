"""One job of the pool, in its own process."""

import contextlib
import faulthandler
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path

from mnist_seq.runs.errors import RunFailed
from mnist_seq.runs.events import WATCHERS, Ended, Listener, Progress, Row, Started, Warned
from mnist_seq.runs.kill_points import reached

LOG = "log.txt"  # what a job prints, in its folder

ORPHAN_GRACE_S = 10.0  # to save a checkpoint when the sweep's process has died

WARM_DATA = "MNIST_SEQ_WARM_DATA"  # names the data that the fork server reads beforehand


class Pipe(Listener):
    """Passes a run's events to the parent; a parent that is gone hears nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def started(self, event: Started) -> None:
        self._send(event)

    def progressed(self, event: Progress) -> None:
        self._send(event)

    def evaluated(self, row: Row) -> None:
        self._send(row)

    def ended(self, event: Ended) -> None:
        self._send((event.state, event.reason))

    def warned(self, event: Warned) -> bool:
        self._send(event)
        return False

    def _send(self, event: object) -> None:
        with contextlib.suppress(OSError):
            self._connection.send(event)


def run_job(connection: Connection, work: bytes, folder: str, env: Mapping[str, str]) -> None:
    """Entry of a job's process: do the work, and leave with the exit code that tells how it went.

    Args:
        work: a pickled `Work`.
    """
    pipe = Pipe(connection)
    enter([Path(folder)], env, [pipe])
    WATCHERS.append(pipe)
    code = 1
    try:
        pickle.loads(work)()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except RunFailed:  # it has told why, and kept its traceback
        traceback.print_exc()
    except BaseException as error:
        traceback.print_exc()
        pipe.ended(Ended("failed", 1, f"{type(error).__name__}: {error}".splitlines()[0]))
    leave(code)


def enter(folders: Sequence[Path], env: Mapping[str, str], pipes: Sequence[Listener]) -> None:
    """Make this process that of some jobs.

    Args:
        folders: of the jobs; the first one that can have a log gets the process's output.
        pipes: to the parent, one a job.
    """
    reached("job: begun")
    os.setsid()  # Ctrl-C at the terminal is for the parent to judge
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(env)
    errors = []
    for folder in folders:
        try:
            _log_to(folder)
            break
        except OSError as error:  # something is in the log's place
            errors.append(error)
    else:  # the parent has the terminal
        for pipe, why in zip(pipes, errors, strict=True):
            pipe.ended(Ended("failed", 1, f"{type(why).__name__}: {why}"))
        leave(1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def leave(code: int) -> None:
    """End this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Skips the half second that torch takes to shut down; every file is closed by now
    os._exit(code)


def _log_to(folder: Path) -> None:
    """Send all output, of C code too, to the job's log; a crash adds the Python stack."""
    from mnist_seq.runs.console import accept_all_characters  # rich: not in the parent's start

    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
    accept_all_characters()
    faulthandler.enable(2)


def _leave_with_parent() -> None:
    """End the job when the sweep's process has died: with a checkpoint if that is quick."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(ORPHAN_GRACE_S)
    os.killpg(os.getpid(), signal.SIGKILL)  # this process and what it has started
