"""One job of the pool, in its own process."""

import contextlib
import copy
import faulthandler
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

from mnist_seq.runs.errors import Interrupted, RunFailed
from mnist_seq.runs.events import WATCHERS, Ended, Listener, Progress, Row, Started, Warned
from mnist_seq.runs.kill_points import reached

LOG = "log.txt"  # what a job prints, in its folder

ORPHAN_GRACE_S = 10.0  # to save a checkpoint when the sweep's process has died

# Imported once in the fork server, so that a forked job finds all modules there
PRELOAD = ("mnist_seq.sweep.pool.preload",)
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

    def warned(self, event: Warned) -> bool:
        self._send(event)
        return False

    def _send(self, event: object) -> None:
        with contextlib.suppress(OSError):
            self._connection.send(event)


class _Tagged(Pipe):
    """Passes the events of one run of a stack to the parent."""

    def __init__(self, connection: Connection, number: int) -> None:
        super().__init__(connection)
        self._number = number

    def _send(self, event: object) -> None:
        super()._send((self._number, event))


def run_job(
    connection: Connection, task: Task, cfg_pickled: bytes, folder: str, env: Mapping[str, str]
) -> None:
    """Entry of a job's process: train, and leave with the exit code that tells how it went."""
    pipe = Pipe(connection)
    _enter([Path(folder)], env, [pipe])
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
    _leave(code)


def run_stack(
    connection: Connection,
    task: Task,
    cfgs_pickled: Sequence[bytes],
    folders: Sequence[str],
    env: Mapping[str, str],
    share: float,
) -> None:
    """Entry of a stack's process: train its jobs together, each heard by its number.

    The process's own output goes to the log of the first job that can have one.
    """
    pipes = [_Tagged(connection, number) for number in range(len(folders))]
    _enter([Path(folder) for folder in folders], env, pipes)
    code = 1
    try:
        fewer = train_stack(task, cfgs_pickled, [Path(folder) for folder in folders], pipes, share)
        if fewer[0]:
            connection.send((None, fewer))
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except Interrupted as stop:
        code = stop.exit_code
    except BaseException as error:
        traceback.print_exc()
        for pipe in pipes:
            pipe.ended(Ended("failed", 1, f"{type(error).__name__}: {error}".splitlines()[0]))
    _leave(code)


def _enter(folders: Sequence[Path], env: Mapping[str, str], pipes: Sequence[Listener]) -> None:
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
        _leave(1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    # Skips the half second that torch takes to shut down; every file is closed by now
    os._exit(code)


def train_stack(
    task: Task,
    cfgs_pickled: Sequence[bytes],
    folders: Sequence[Path],
    pipes: Sequence[Listener],
    share: float,
) -> tuple[int, str]:
    """Train runs of equal shape together. A run that cannot be opened fails alone.

    Returns:
        How many of them may go together, where they were too many, and why; else 0 and "".

    Raises:
        BaseException: what concerns all of them.
    """
    from hydra._internal.callbacks import Callbacks
    from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals

    setup_globals()
    module = import_module(task.module)
    module.adopt(task.shared)
    opened: list[Any] = []
    closing: list[tuple[Any, Any]] = []
    for cfg_pickled, folder, pipe in zip(cfgs_pickled, folders, pipes, strict=True):
        try:
            cfg = pickle.loads(cfg_pickled)
            callbacks = Callbacks(cfg)
            task_cfg = _set_hydra_config(cfg, folder)
            if not opened:
                configure_log(cfg.hydra.job_logging, cfg.hydra.verbose)
            WATCHERS.clear()
            callbacks.on_job_start(config=cfg, task_function=module.run)
            opened.append(module.open_run(task_cfg, folder / LOG, [*WATCHERS, pipe]))
            closing.append((callbacks, cfg))
        except Exception as error:
            traceback.print_exc()
            pipe.ended(Ended("failed", 1, f"{type(error).__name__}: {error}".splitlines()[0]))
    fewer: tuple[int, str] = module.train_together(opened, share=share)
    for callbacks, cfg in closing:
        job_return = JobReturn(cfg=cfg, status=JobStatus.COMPLETED)
        callbacks.on_job_end(config=cfg, job_return=job_return)
    return fewer


def _set_hydra_config(cfg: Any, folder: Path) -> Any:
    """Let a job of a stack find what Hydra's `run_job` would have it find; return its config."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import open_dict, read_write

    HydraConfig.instance().set_config(cfg)  # before the folder's name is resolved
    with read_write(cfg.hydra.runtime), open_dict(cfg.hydra.runtime):
        cfg.hydra.runtime.output_dir = str(folder)
    HydraConfig.instance().set_config(cfg)
    folder.mkdir(parents=True, exist_ok=True)
    task_cfg = copy.deepcopy(cfg)
    with read_write(task_cfg), open_dict(task_cfg):
        del task_cfg["hydra"]
    return task_cfg


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
