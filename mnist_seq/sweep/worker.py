"""One job of the pool, in its own process."""

import contextlib
import faulthandler
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

from mnist_seq.runs.errors import RunFailed
from mnist_seq.runs.events import WATCHERS, Ended, Listener, Progress, Row, Started

LOG = "log.txt"  # what a job prints, in its folder

ORPHAN_GRACE_S = 10.0  # to save a checkpoint when the sweep's process has died

# Imported once in the fork server, so that a forked job finds all modules there
PRELOAD = ("mnist_seq.sweep.preload",)
WARM_DATA = "MNIST_SEQ_WARM_DATA"  # names the data that the fork server reads beforehand


@dataclass(frozen=True)
class Task:
    """A module whose `run(cfg)` trains a job; `adopt(shared)` takes what the parent found out."""

    module: str
    shared: Any


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

    def _send(self, event: object) -> None:
        with contextlib.suppress(OSError):
            self._connection.send(event)


def run_job(
    connection: Connection, task: Task, cfg_pickled: bytes, folder: str, env: Mapping[str, str]
) -> None:
    """Entry of a job's process: train, and leave with the exit code that tells how it went."""
    os.setsid()  # Ctrl-C at the terminal is for the parent to judge
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(env)
    _log_to(Path(folder))
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    pipe = Pipe(connection)
    WATCHERS.append(pipe)
    code = 1
    try:
        train(task, cfg_pickled)
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except RunFailed:  # it has told why, and kept its traceback
        traceback.print_exc()
    except BaseException as error:
        traceback.print_exc()
        pipe.ended(Ended("failed", 1, f"{type(error).__name__}: {error}".splitlines()[0]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    # Skips the half second that torch takes to shut down; every file is closed by now
    os._exit(code)


def train(task: Task, cfg_pickled: bytes) -> None:
    """Train one run from its composed config, as Hydra's own launchers do.

    Raises:
        BaseException: whatever the job has raised.
    """
    from hydra._internal.callbacks import Callbacks
    from hydra.core.utils import JobStatus, setup_globals
    from hydra.core.utils import run_job as hydra_run_job
    from hydra.types import HydraContext

    setup_globals()
    cfg = pickle.loads(cfg_pickled)
    module = import_module(task.module)
    module.adopt(task.shared)
    context = HydraContext(config_loader=cast(Any, None), callbacks=Callbacks(cfg))
    done = hydra_run_job(
        task_function=module.run,
        config=cfg,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
        hydra_context=context,
    )
    if done.status != JobStatus.COMPLETED:
        raise cast(BaseException, done._return_value)


def _log_to(folder: Path) -> None:
    """Send all output, of C code too, to the job's log; a crash adds the Python stack."""
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
    faulthandler.enable(2)


def _leave_with_parent() -> None:
    """End the job when the sweep's process has died: with a checkpoint if that is quick."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(ORPHAN_GRACE_S)
    os.killpg(os.getpid(), signal.SIGKILL)  # this process and what it has started
