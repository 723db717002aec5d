"""The code of a job in its own process."""

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

from mnist_seq import system
from mnist_seq.runs import files
from mnist_seq.runs.disk.kill_points import reached
from mnist_seq.runs.errors import RunFailed
from mnist_seq.runs.events import WATCHERS, Ended, Listener, Progress, Row, Started, Warned

LEAVE = "leave"  # asks a job to save its checkpoint and end

LOG = "log.txt"  # output of the job, in its folder

ORPHAN_GRACE_S = 10.0  # seconds to save a checkpoint after the command has died

WARM_DATA = "MNIST_SEQ_WARM_DATA"  # names the data set that the fork server reads


class Pipe(Listener):
    """Passes the events of a run to the parent process; if the parent is gone, nothing happens."""

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
    """Main function of a job's process: do the work, and exit with a code that says how it ended.

    Args:
        work: a pickled `Work`.
    """
    pipe = Pipe(connection)
    enter(connection, [Path(folder)], env, [pipe])
    WATCHERS.append(pipe)
    code = 1
    try:
        pickle.loads(work)()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except RunFailed:  # the reason is reported, and the traceback is in error.txt
        traceback.print_exc()
    except BaseException as error:
        traceback.print_exc()
        pipe.ended(Ended("failed", 1, f"{type(error).__name__}: {error}".splitlines()[0]))
    leave(code)


def enter(
    connection: Connection,
    folders: Sequence[Path],
    env: Mapping[str, str],
    pipes: Sequence[Listener],
) -> None:
    """Set this process up for its jobs.

    Args:
        connection: to the parent, which may send `LEAVE`.
        folders: folders of the jobs; the first that can have a log gets the output of the process.
        pipes: to the parent, one for each job.
    """
    from hydra import version

    reached("job: begun")
    system.leave_group()
    # they are blocked; a spawned process may have had some of the command's group
    is_spawned = system.start_method() == "spawn"
    system.let_stop_signals_through(are_earlier_dropped=is_spawned)
    version.setbase("1.3")  # as in `train`; without it Hydra changes the working directory
    os.environ.update(env)
    errors = []
    for folder in folders:
        try:
            _log_to(folder)
            break
        except OSError as error:  # there is something else with the name of the log
            errors.append(error)
    else:  # the terminal belongs to the parent
        for pipe, why in zip(pipes, errors, strict=True):
            pipe.ended(Ended("failed", 1, f"{type(why).__name__}: {why}"))
        leave(1)
    threading.Thread(target=_listen, args=(connection,), daemon=True).start()


def leave(code: int) -> None:
    """End this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    # skips torch's shutdown, which takes half a second; every file is closed by now
    os._exit(code)


def _log_to(folder: Path) -> None:
    """Send all output, also that of C code, to the job's log; a crash adds the Python stack."""
    from mnist_seq.runs.console import print_to  # imports rich: not at the start of the parent

    folder.mkdir(parents=True, exist_ok=True)
    fd = files.open_append(folder / LOG)
    print_to(fd)
    os.close(fd)
    faulthandler.enable(2)


def _listen(connection: Connection) -> None:
    """End the job when the command asks for it or has died, with a checkpoint if there is time."""
    parent = parent_process()
    assert parent is not None
    if parent.sentinel not in wait([parent.sentinel, connection]):
        with contextlib.suppress(EOFError, OSError):
            connection.recv()
            system.signal_this_process(signal.SIGTERM)
        wait([parent.sentinel])
    system.signal_this_process(signal.SIGTERM)
    threading.Event().wait(ORPHAN_GRACE_S)
    system.kill_group(os.getpid())
    os._exit(1)
