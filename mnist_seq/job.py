"""One job: from a composed config to a trained run, watched by the tracker.

Apart from `train`, the command, because a pool's fork server imports it beforehand.
"""

import os
import shlex
import shutil
import sys
import traceback
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from omegaconf import DictConfig, OmegaConf

from mnist_seq import command
from mnist_seq.config.errors import ConfigError, refuse

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from rich.console import Console

    from mnist_seq.config import Config
    from mnist_seq.runs.events import Ended, Listener
    from mnist_seq.training.run import Job


def run(cfg: DictConfig) -> float:
    """Train the run of one composed config, in the folder that Hydra made for it.

    Returns:
        The last value on valid of the metric that choices go by, NaN where there is none.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from mnist_seq.runs.console import QuietConsole
    from mnist_seq.runs.errors import FolderLocked, Interrupted, RunFailed
    from mnist_seq.runs.lock import locked

    console = QuietConsole()
    is_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        job = prepare(cfg, console, is_sweep=is_sweep)
        # A sweep's process that was killed leaves jobs behind, for as long as a checkpoint takes
        with locked(job.folder.path, what="a run", wait_s=30.0 if is_sweep else 0.0):
            ended = train(job, console)
    except Interrupted as stop:
        print(
            f"{stop}; to go on: {_command(is_sweep, cfg, HydraConfig.get().runtime.output_dir)}",
            flush=True,
        )
        raise SystemExit(stop.exit_code) from None
    except (ConfigError, RunFailed, ValueError, OSError) as error:
        # In a sweep the other jobs go on, and Hydra ends with the error; alone, one line is all
        if is_sweep or command.IS_DEBUG:
            raise
        if not isinstance(error, FolderLocked):
            _remove_unused(Path(HydraConfig.get().runtime.output_dir))
        refuse(str(error))
    return float(ended.metrics.get(f"valid/{job.folder.judged()['main']}", float("nan")))


def prepare(cfg: DictConfig, console: "Console", *, is_sweep: bool) -> "Job":
    """Check a composed config and find its data; nothing is written.

    Raises:
        ConfigError: the config is impossible.
        ValueError: the data cannot be found, or is damaged.
    """
    from hydra.core.hydra_config import HydraConfig

    from mnist_seq.config.parse import check_words, parse, rooted
    from mnist_seq.runs.console import say
    from mnist_seq.runs.folder import RunFolder

    hydra_config = HydraConfig.get()
    words = OmegaConf.to_container(hydra_config.overrides)  # as typed: ${...} is the config's
    assert isinstance(words, dict)
    check_words(words["task"])
    for word in () if is_sweep else (*words["task"], *words["hydra"]):
        if word.lstrip("+").startswith(_OF_A_SWEEP) and not word.startswith("sweep.name="):
            raise ConfigError(f"{word} says how a sweep runs, and this is one run; add -m")
    values = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(values, dict)
    # Where the command was typed, also with hydra.job.chdir=true
    config = rooted(parse({str(k): v for k, v in values.items()}), hydra_config.runtime.cwd)

    from mnist_seq.tracking import check_tracker
    from mnist_seq.training.device import check_device  # torch: after the checks that need none
    from mnist_seq.training.preflight.check import check_run
    from mnist_seq.training.preflight.find import find_data
    from mnist_seq.training.preflight.match import with_hidden_solved
    from mnist_seq.training.run import Job

    check_device(config.device)
    check_tracker(config)
    config, located = find_data(with_hidden_solved(config))
    check_run(config)
    if located.notice:
        say(console, located.notice)
    return Job(
        config=config,
        located=located,
        folder=RunFolder(Path(hydra_config.runtime.output_dir)),
        name=(is_sweep and hydra_config.job.override_dirname) or config.model.name,
        overrides=tuple(words["task"]),
    )


def train(job: "Job", console: "Console") -> "Ended":
    """Train a prepared run, watched by the tracker and the progress lines; a finished one is kept.

    Raises:
        ConfigError, Interrupted, RunFailed: see `train_run`.
    """
    from mnist_seq.runs.console import say
    from mnist_seq.runs.events import WATCHERS
    from mnist_seq.tracking import open_tracker
    from mnist_seq.training.progress import metrics_text, open_progress
    from mnist_seq.training.run import kept, train_run

    if (ended := kept(job)) is not None:
        shown = metrics_text(ended.metrics, job.folder.judged())
        say(console, f"{job.folder.path} is {ended.state} already: {shown}")
        return ended
    _write_asked(job)
    tracker = open_tracker(job.config, job.folder)
    return train_run(job, [tracker, open_progress(console), *WATCHERS])


@dataclass(frozen=True)
class Opened:
    """A run that is ready to train with others.

    Attributes:
        log: has its progress lines.
    """

    job: "Job"
    listeners: "list[Listener]"
    log: TextIO


def open_run(cfg: DictConfig, log: Path, watchers: "list[Listener]") -> Opened:
    """Check a composed config of a stack and find its data.

    Args:
        log: the file that is to have its progress.
        watchers: told what happens to it, beside the tracker.

    Raises:
        ConfigError: the config is impossible.
        ValueError: the data cannot be found, or is damaged.
    """
    from mnist_seq.runs.console import QuietConsole
    from mnist_seq.tracking import open_tracker
    from mnist_seq.training.progress import open_progress

    file = log.open("a", buffering=1)
    console = QuietConsole(file=file)
    job = prepare(cfg, console, is_sweep=True)
    _write_asked(job)
    tracker = open_tracker(job.config, job.folder)
    return Opened(job, [tracker, open_progress(console), *watchers], file)


def train_together(runs: list[Opened], *, share: float) -> tuple[int, str]:
    """Train runs of equal shape as one program; see `train_stack`. Finished ones are kept.

    Args:
        share: of the free memory, that they may take; 0 where nobody is to measure.

    Returns:
        How many of them may go together, where they were too many, and why; else 0 and "".

    Raises:
        Interrupted: a signal came; all can be resumed.
    """
    from mnist_seq.runs.events import Ended, tell
    from mnist_seq.runs.lock import locked
    from mnist_seq.training.batched.errors import TooManyRuns
    from mnist_seq.training.run import kept, train_stack

    with ExitStack() as stack:
        todo = []
        for run in runs:
            stack.enter_context(run.log)
            try:
                stack.enter_context(locked(run.job.folder.path, what="a run", wait_s=30.0))
                ended = kept(run.job)
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
            train_stack([run.job for run in todo], [run.listeners for run in todo], share=share)
        except TooManyRuns as error:
            print(error, flush=True)
            return error.most, str(error)
    return 0, ""


_OF_A_SWEEP = ("sweep.", "hydra.sweep", "hydra.launcher", "hydra/sweeper", "hydra/launcher")


@dataclass(frozen=True)
class Shared:
    """What a sweep finds out once, for all its runs.

    Attributes:
        located: data sets and their roots.
    """

    located: list[tuple[Any, Path]]


def share(configs: "list[Config]") -> Shared:
    """Find out once what all runs of a sweep would find out again."""
    from mnist_seq.training.preflight.find import find_all

    return Shared(located=find_all(configs))


def watched(
    configs: "list[Config]", folder: Path, tell: "Callable[[int, str], None]"
) -> "AbstractContextManager[list[Any]]":
    """Views of a sweep's pool that pass its runs on to their trackers, while the block runs.

    Args:
        configs: of the runs that are to be launched.
        folder: the sweep's.
        tell: called with a level of `logging` and a line.
    """
    from mnist_seq.tracking.sweep_view import mirror_sweep

    return mirror_sweep(configs, folder, tell=tell)


def adopt(shared: Shared) -> None:
    """Take over, in a worker's process, what the sweep found out; its parent tracks the run."""
    from mnist_seq.tracking import leave_to_the_sweep
    from mnist_seq.training.preflight.find import remember_all

    leave_to_the_sweep()
    remember_all(shared.located)


def _write_asked(job: "Job") -> None:
    """Write `.hydra/`, as Hydra would have done before it was known whose folder this is."""
    from hydra.core.hydra_config import HydraConfig

    from mnist_seq.config import plain
    from mnist_seq.runs.kill_points import reached

    folder = job.folder.path / ".hydra"
    folder.mkdir(exist_ok=True)
    OmegaConf.save(OmegaConf.create(plain(job.config)), folder / "config.yaml")
    OmegaConf.save(OmegaConf.create({"hydra": HydraConfig.get()}), folder / "hydra.yaml")
    OmegaConf.save(OmegaConf.create(list(job.overrides)), folder / "overrides.yaml")
    reached("job: asked")


def _remove_unused(folder: Path) -> None:
    """Remove the folder that Hydra made for a run which was refused before it began."""
    from hydra.core.hydra_config import HydraConfig

    is_ours = not any(
        word.startswith("hydra.run.dir") for word in HydraConfig.get().overrides.hydra
    )
    if is_ours and {path.name for path in folder.iterdir()} <= {".lock", "train.log"}:
        shutil.rmtree(folder)


def _command(is_sweep: bool, cfg: DictConfig, output_dir: str) -> str:
    """The command that goes on with what was interrupted."""
    from hydra.core.hydra_config import HydraConfig

    from mnist_seq.runs.overrides import override

    words = sys.argv[1:]
    if is_sweep:
        key, value = "sweep.name", str(cfg.sweep.name)
    else:
        typed_in = HydraConfig.get().runtime.cwd
        key, value = "hydra.run.dir", os.path.relpath(output_dir, typed_in)
    if not any(word.startswith(f"{key}=") for word in words):
        words = [*words, override(key, value)]
    program = Path(sys.argv[0]).name
    start = program if program.startswith("mnist-seq") else "python -m mnist_seq.train"
    return f"{start} {shlex.join(words)}"
