"""One job: from a composed config to a trained run, watched by the tracker.

Apart from `train`, the command, because a pool's fork server imports it beforehand.
"""

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from mnist_seq.config.errors import ConfigError

IS_DEBUG = os.environ.get("HYDRA_FULL_ERROR") == "1"  # as the user set it, tracebacks and all

if TYPE_CHECKING:
    from rich.console import Console

    from mnist_seq.config import Config
    from mnist_seq.runs.events import Ended
    from mnist_seq.training.run import Job


def run(cfg: DictConfig) -> float:
    """Train the run of one composed config, in the folder that Hydra made for it.

    Returns:
        Last accuracy on valid, NaN where there is none: what a search may maximise.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from rich.console import Console

    from mnist_seq.runs.errors import Interrupted, RunFailed

    console = Console()
    is_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        job = prepare(cfg, console, is_sweep=is_sweep)
        ended = train(job, console)
    except Interrupted as stop:
        print(f"{stop}; to go on: {_command(is_sweep, cfg, HydraConfig.get().runtime.output_dir)}", flush=True)
        raise SystemExit(stop.exit_code) from None
    except (ConfigError, RunFailed, ValueError, OSError) as error:
        # In a sweep the other jobs go on, and Hydra ends with the error; alone, one line is all
        if is_sweep or IS_DEBUG:
            raise
        _remove_unused(Path(HydraConfig.get().runtime.output_dir))
        refuse(str(error))
    return float(ended.metrics.get("valid/accuracy", float("nan")))


def prepare(cfg: DictConfig, console: "Console", *, is_sweep: bool) -> "Job":
    """Check a composed config and find its data; nothing is written.

    Raises:
        ConfigError: the config is impossible.
        ValueError: the data cannot be found, or is damaged.
    """
    from hydra.core.hydra_config import HydraConfig

    from mnist_seq.config.parse import parse
    from mnist_seq.runs.folder import RunFolder

    values = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(values, dict)
    config = parse({str(key): value for key, value in values.items()})

    from mnist_seq.training.run import Job, find_data  # torch: after the checks that need none

    config, located = find_data(config)
    if located.notice:
        console.print(located.notice, markup=False, highlight=False, soft_wrap=True)
    hydra_config = HydraConfig.get()
    return Job(
        config=config,
        located=located,
        folder=RunFolder(Path(hydra_config.runtime.output_dir)),
        name=(is_sweep and hydra_config.job.override_dirname) or config.model.name,
        overrides=tuple(hydra_config.overrides.task),
    )


def train(job: "Job", console: "Console") -> "Ended":
    """Train a prepared run, watched by the tracker and the progress lines; a finished one is kept.

    Raises:
        ConfigError, Interrupted, RunFailed: see `train_run`.
    """
    from mnist_seq.runs.events import WATCHERS
    from mnist_seq.tracking import open_tracker
    from mnist_seq.training.progress import metrics_text, open_progress
    from mnist_seq.training.run import kept, train_run

    if (ended := kept(job)) is not None:
        text = f"{job.folder.path} is {ended.state} already: {metrics_text(ended.metrics)}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        return ended
    is_swept = job.folder.path.parent.name == job.config.sweep.name
    group = job.config.sweep.name if is_swept else ""
    tracker = open_tracker(job.config, job.folder, name=job.name, group=group)
    return train_run(job, [tracker, open_progress(console), *WATCHERS])


@dataclass(frozen=True)
class Shared:
    """What a sweep finds out once, for all its runs.

    Attributes:
        notices: lines to announce.
    """

    notices: list[str]
    choice: Any  # of W&B's mode, or None where nothing is mirrored
    located: list[tuple[Any, Path]]  # data sets and their roots


def share(configs: "list[Config]") -> Shared:
    """Find out once what all runs of a sweep would find out again."""
    from mnist_seq.config.schema import WandB
    from mnist_seq.tracking import choose_mode
    from mnist_seq.training.run import find_all

    trackers = [c.tracker for c in configs if isinstance(c.tracker, WandB)]
    choice = choose_mode(trackers[0]) if trackers else None
    return Shared(
        notices=[choice.notice] if choice is not None and choice.notice else [],
        choice=choice,
        located=find_all(configs),
    )


def adopt(shared: Shared) -> None:
    """Take over, in a worker's process, what the sweep found out."""
    from mnist_seq.tracking import remember_mode
    from mnist_seq.training.run import remember_all

    if shared.choice is not None:
        remember_mode(shared.choice)
    remember_all(shared.located)


def refuse(text: str) -> None:
    """End the command with one line of error."""
    print(f"mnist_seq: {text}", file=sys.stderr, flush=True)
    raise SystemExit(1)


def _remove_unused(folder: Path) -> None:
    """Remove a folder that Hydra made for a run which was refused before it began."""
    if {path.name for path in folder.iterdir()} <= {".hydra", "train.log"}:
        shutil.rmtree(folder)


def _command(is_sweep: bool, cfg: DictConfig, output_dir: str) -> str:
    """The command that goes on with what was interrupted."""
    words = sys.argv[1:]
    if is_sweep:
        key, value = "sweep.name", str(cfg.sweep.name)
    else:
        key, value = "hydra.run.dir", os.path.relpath(output_dir)
    if not any(word.startswith(f"{key}=") for word in words):
        words = [*words, f"{key}={value}"]
    program = Path(sys.argv[0]).name
    start = program if program.startswith("mnist-seq") else "python -m mnist_seq.train"
    return f"{start} {shlex.join(words)}"
