"""Trains prepared runs, each in its own locked folder. A run that is finished is kept."""

import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TextIO

from omegaconf import OmegaConf
from rich.console import Console

from mnist_seq.config import plain
from mnist_seq.runs import files
from mnist_seq.runs.console import QuietConsole, say
from mnist_seq.runs.disk.kill_points import reached
from mnist_seq.runs.events import Ended, Listener, tell
from mnist_seq.runs.lock import locked
from mnist_seq.training.batched.errors import TooManyRuns
from mnist_seq.training.progress import metrics_text
from mnist_seq.training.run import Job, recorded_end, train_run, train_stack
from mnist_seq.waypoints.listener import open_waypoints

WAIT_S = 30.0  # for the process of a killed sweep, which may still be writing its checkpoint


def launch(
    job: Job, hydra: Any, listeners: list[Listener], *, console: Console, wait_s: float = WAIT_S
) -> Ended:
    """Train a prepared run.

    Args:
        hydra: Hydra's own config, for `.hydra/hydra.yaml`.
        wait_s: how long another process may take to leave the folder.

    Raises:
        FolderLocked: another process is at work there.
        ConfigError, Interrupted, RunFailed: see `train_run`.
    """
    with locked(job.folder.path, what="a run", wait_s=wait_s):
        if (ended := recorded_end(job)) is not None:
            shown = metrics_text(ended.metrics, job.folder.judged())
            say(console, f"{job.folder.path} is {ended.state} already: {shown}")
            return ended
        _write_asked(job, hydra)
        return train_run(job, [*listeners, *_waypoints(job, console)])


def main_value(job: Job, ended: Ended) -> float:
    """The last value on valid of the metric that choices go by, NaN where there is none."""
    return float(ended.metrics.get(f"valid/{job.folder.judged()['main']}", float("nan")))


@dataclass(frozen=True)
class Stacked:
    """A prepared run that is trained together with others.

    Attributes:
        hydra: Hydra's own config, for `.hydra/hydra.yaml`.
        log: the file that its progress lines go to; closed at the end.
    """

    job: Job
    hydra: Any
    listeners: list[Listener]
    log: TextIO


def launch_stack(runs: Sequence[Stacked], *, share: float) -> tuple[int, str]:
    """Train prepared runs of equal shape as one program; see `train_stack`.

    Args:
        share: of the free memory, that they may take; 0 where nobody is to measure.

    Returns:
        How many of them may go together, where they were too many, and why; else 0 and "".

    Raises:
        Interrupted: a signal came; all can be resumed.
    """
    with ExitStack() as stack:
        todo = []
        for run in runs:
            stack.enter_context(run.log)
            try:
                stack.enter_context(locked(run.job.folder.path, what="a run", wait_s=WAIT_S))
                ended = recorded_end(run.job)
                if ended is None:
                    _write_asked(run.job, run.hydra)
            except Exception as error:  # of this run alone, as where it has its own process
                traceback.print_exc()
                ended = Ended("failed", 1, f"{type(error).__name__}: {error}".splitlines()[0])
            if ended is None:
                todo.append(run)
            else:
                tell(run.listeners, lambda listener, end=ended: listener.ended(end))  # type: ignore[misc]
        if not todo:
            return 0, ""
        try:
            listeners = [
                [*run.listeners, *_waypoints(run.job, QuietConsole(file=run.log))] for run in todo
            ]
            train_stack([run.job for run in todo], listeners, share=share)
        except TooManyRuns as error:
            print(error, flush=True)
            return error.most, str(error)
    return 0, ""


def _waypoints(job: Job, console: Console) -> list[Listener]:
    return open_waypoints(job.config, job.folder, job.located.fingerprint, console)


def _write_asked(job: Job, hydra: Any) -> None:
    """Write `.hydra/`, as Hydra would have done before it was known whose folder this is."""
    folder = files.make_folder(job.folder.path, ".hydra")
    asked: dict[str, Any] = {
        "config": plain(job.config),
        "hydra": {"hydra": hydra},
        "overrides": [*job.overrides],
    }
    for name, values in asked.items():
        files.write_text(folder / f"{name}.yaml", OmegaConf.to_yaml(OmegaConf.create(values)))
    reached("job: asked")
