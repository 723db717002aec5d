"""Train one run, or a sweep of them: `python -m mnist_seq.train -m model.hidden=32,64,128`."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig, OmegaConf

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.paths import conf_dir

_IS_DEBUG = os.environ.get("HYDRA_FULL_ERROR") == "1"  # as the user set it, tracebacks and all

if TYPE_CHECKING:
    from rich.console import Console

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
        print(f"{stop}; to go on: {_command(is_sweep, cfg, HydraConfig.get())}", flush=True)
        raise SystemExit(stop.exit_code) from None
    except (ConfigError, RunFailed, ValueError, OSError) as error:
        # In a sweep the other jobs go on, and Hydra ends with the error; alone, one line is all
        if is_sweep or _IS_DEBUG:
            raise
        _remove_unused(Path(HydraConfig.get().runtime.output_dir))
        _refuse(str(error))
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
    return train_run(job, [tracker, open_progress(console)])


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")
def _job(cfg: DictConfig) -> float:
    return run(cfg)


def main() -> None:
    """Console entry: Hydra's command line, its errors in one line each."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from mnist_seq.config import hydra_errors
    from mnist_seq.runs.errors import RunFailed

    OmegaConf.register_new_resolver("mnist_seq.options", _options_text, replace=True)
    if _IS_DEBUG:
        _job()
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, and we say it in one line
    try:
        _job()
    except (HydraException, OmegaConfBaseException) as error:
        _refuse(hydra_errors.one_line(error))
    except (ValueError, OSError, RuntimeError) as error:
        if not isinstance(error, ValueError | OSError | RunFailed):
            raise
        _refuse(str(error))
    except KeyboardInterrupt:
        print("interrupted before a run had begun", file=sys.stderr)
        raise SystemExit(130) from None


def _options_text() -> str:
    """All groups with their options, for --help."""
    from mnist_seq.config.paths import groups, options

    return "\n".join(f"{group + '=':<12}{' | '.join(options(group))}" for group in groups())


def _refuse(text: str) -> None:
    print(f"mnist_seq: {text}", file=sys.stderr, flush=True)
    raise SystemExit(1)


def _remove_unused(folder: Path) -> None:
    """Remove a folder that Hydra made for a run which was refused before it began."""
    if {path.name for path in folder.iterdir()} <= {".hydra", "train.log"}:
        shutil.rmtree(folder)


def _command(is_sweep: bool, cfg: DictConfig, hydra_config: Mapping[str, Any]) -> str:
    """The command that goes on with what was interrupted."""
    words = sys.argv[1:]
    if is_sweep:
        key, value = "sweep.name", str(cfg.sweep.name)
    else:
        key, value = "hydra.run.dir", os.path.relpath(hydra_config["runtime"]["output_dir"])
    if not any(word.startswith(f"{key}=") for word in words):
        words = [*words, f"{key}={value}"]
    program = Path(sys.argv[0]).name
    start = program if program.startswith("mnist-seq") else "python -m mnist_seq.train"
    return f"{start} {shlex.join(words)}"


if __name__ == "__main__":
    main()
