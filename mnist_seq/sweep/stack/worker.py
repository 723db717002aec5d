"""The code of a stack in its own process."""

import copy
import functools
import os
import pickle
import traceback
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mnist_seq.runs import files
from mnist_seq.runs.errors import Interrupted
from mnist_seq.runs.events import WATCHERS, Ended, Listener
from mnist_seq.sweep.pool.worker import LOG, Pipe, enter, leave
from mnist_seq.sweep.work import Work


class _Tagged(Pipe):
    """Passes the events of one run of a stack to the parent."""

    def __init__(self, connection: Connection, number: int) -> None:
        super().__init__(connection)
        self._number = number

    def _send(self, event: object) -> None:
        super()._send((self._number, event))


def run_stack(
    connection: Connection,
    works: Sequence[bytes],
    folders: Sequence[str],
    env: Mapping[str, str],
    share: float,
) -> None:
    """Main function of a stack's process: train its runs; messages have the number of their run.

    Args:
        works: the pickled `Work` of each run.
        share: share of the free memory that they may use; 0 for no measurement.
    """
    pipes = [_Tagged(connection, number) for number in range(len(folders))]
    enter(connection, [Path(folder) for folder in folders], env, pipes)
    code = 1
    try:
        fewer = _train([pickle.loads(work) for work in works], pipes, share)
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
            pipe.ended(_failed(error))
    leave(code)


def _train(works: Sequence[Work], pipes: Sequence[Listener], share: float) -> tuple[int, str]:
    """Train runs of equal shape as a stack. A run that cannot be opened fails alone.

    Returns:
        If there were too many runs, the number that fits and the reason; else 0 and "".

    Raises:
        BaseException: an error of the whole stack.
    """
    from hydra._internal.callbacks import Callbacks
    from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals

    from mnist_seq.tracking import leave_to_the_sweep
    from mnist_seq.training.launch import launch_stack

    setup_globals()
    leave_to_the_sweep()
    opened: list[Any] = []
    closing: list[tuple[Any, Any]] = []
    for work, pipe in zip(works, pipes, strict=True):
        try:
            cfg, folder = work.cfg, work.job.folder.path
            callbacks = Callbacks(cfg)
            _set_hydra_config(cfg, folder)
            if not opened:
                configure_log(cfg.hydra.job_logging, cfg.hydra.verbose)
            WATCHERS.clear()
            task = functools.partial(work.train, console=None)  # the callbacks that Hydra calls
            callbacks.on_job_start(config=cfg, task_function=task)
            opened.append(_opened(work, [*WATCHERS, pipe]))
            closing.append((callbacks, cfg))
        except Exception as error:
            traceback.print_exc()
            pipe.ended(_failed(error))
    fewer = launch_stack(opened, share=share)
    for callbacks, cfg in closing:
        job_return = JobReturn(cfg=_without_hydra(cfg), status=JobStatus.COMPLETED)
        callbacks.on_job_end(config=cfg, job_return=job_return)
    return fewer


def _failed(error: BaseException) -> Ended:
    return Ended("failed", 1, f"{type(error).__name__}: {error}".splitlines()[0])


def _opened(work: Work, watchers: Sequence[Listener]) -> Any:
    """A run of the stack, with its progress lines in its own log."""
    from hydra.core.hydra_config import HydraConfig

    from mnist_seq.runs.console import QuietConsole
    from mnist_seq.tracking import open_tracker
    from mnist_seq.training.launch import Stacked
    from mnist_seq.training.progress import open_progress

    work.check_machine()
    job = work.job
    log = os.fdopen(files.open_append(job.folder.path / LOG), "a", buffering=1, encoding="utf-8")
    tracker = open_tracker(job.config, job.folder)
    listeners = [tracker, open_progress(QuietConsole(file=log)), *watchers]
    return Stacked(job, HydraConfig.get(), listeners, log)


def _set_hydra_config(cfg: Any, folder: Path) -> None:
    """Set `HydraConfig` for a run of a stack, as Hydra's `run_job` does."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import open_dict, read_write

    HydraConfig.instance().set_config(cfg)  # before the name of the folder is resolved
    with read_write(cfg.hydra.runtime), open_dict(cfg.hydra.runtime):
        cfg.hydra.runtime.output_dir = str(folder)
    HydraConfig.instance().set_config(cfg)
    folder.mkdir(parents=True, exist_ok=True)


def _without_hydra(cfg: Any) -> Any:
    from omegaconf import open_dict, read_write

    task_cfg = copy.deepcopy(cfg)
    with read_write(task_cfg), open_dict(task_cfg):
        del task_cfg["hydra"]
    return task_cfg
