"""The parts for a notebook: compose a config, train it, load a run, build a report.

    from mnist_seq import build_report, compose, load_run, train_run

    run = train_run(compose("model=gru", "model.hidden=32", "tracker=none"))
    run.history
    build_report("outputs/sweeps/cells")

Sweeps are started with the command, `!python -m mnist_seq.train -m ...`: their runs go in processes
of their own.
"""

import contextlib
import datetime
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_seq.config import Config, ConfigError, members
from mnist_seq.config.parse import check_words, parse, rooted
from mnist_seq.trained.run import LoadedRun, load_run

__all__ = ["LoadedRun", "build_report", "compose", "load_run", "train_run", "use_config_dir"]

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from mnist_seq.report.render.notebook import NotebookReport


def compose(*overrides: str | Sequence[str]) -> Config:
    """The config of one run, checked: `compose("model=gru", "optimizer.lr=0.001")`.

    Args:
        overrides: as on the command line of `python -m mnist_seq.train`; lists of them too.

    Raises:
        ConfigError: an unknown key, a wrong type, an impossible value, or what is a sweep.
    """
    from hydra import compose
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from mnist_seq.config.hydra_errors import one_line, own_hydra
    from mnist_seq.runs.commands import quoted
    from mnist_seq.training.preflight.task import check_task

    words = [w for given in overrides for w in ([given] if isinstance(given, str) else given)]
    check_words(words)
    for word in words:
        if word.lstrip("+~").startswith("hydra"):
            raise ConfigError(
                f"hydra's keys say how the command launches a run: {word}; here, give "
                "train_run(config, folder)"
            )
    own = ",".join(quoted(f"file://{folder}") for folder in members.folders())
    searched = [f"hydra.searchpath=[{own}]"] if own else []
    try:
        with own_hydra():  # a notebook may use Hydra for something else
            whole = compose("train", [*searched, *words], return_hydra_config=True)
            values = _values_of(whole)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(one_line(error)) from None
    config = _checked(values)
    check_task(config)
    return config


def use_config_dir(folder: str | Path) -> None:
    """Use the cells, data sets and other members of one's own in a folder, as `--config-dir` does.

    Raises:
        ConfigError: there is no such folder, or a file there has the name of one of ours.
    """
    members.use_folder(Path(folder))


def _values_of(config: "DictConfig") -> Any:
    """All values of a config, without Hydra's own node, which `${hydra:...}` reads."""
    from omegaconf import OmegaConf

    from mnist_seq.config.hydra_errors import hydra_node_of

    keys = [str(key) for key in config if key != "hydra"]
    with hydra_node_of(config) if "hydra" in config else contextlib.nullcontext():
        return OmegaConf.to_container(OmegaConf.masked_copy(config, keys), resolve=True)


def _checked(values: Any) -> Config:
    return rooted(parse({str(key): value for key, value in values.items()}), os.getcwd())


def _of_hydra(config: "DictConfig") -> Config:
    """A config that Hydra's own `compose` made.

    Raises:
        ConfigError: it is something else, or cannot be.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from mnist_seq.config.hydra_errors import one_line

    if not OmegaConf.is_dict(config):
        raise ConfigError(
            f"train_run takes the config of one run: {config!r}; write "
            'train_run(compose("model=gru"))'
        )
    try:
        return _checked(_values_of(config))
    except OmegaConfBaseException as error:
        raise ConfigError(one_line(error)) from None


def train_run(config: "Config | DictConfig", folder: str | Path | None = None) -> LoadedRun:
    """Train one run in this process; a folder that holds a part of this run resumes it.

    Args:
        config: of `compose`, or of Hydra's own `compose` over our `conf/`.
        folder: where the run is recorded; without it a new one below `outputs/runs`.

    Raises:
        ConfigError: the run cannot be as asked, or the folder holds another one.
        Interrupted: stopped by the notebook's button, with its checkpoint saved.
        RunFailed: anything else; the folder holds error.txt.
    """
    from mnist_seq.runs.console import plain_in_notebooks, say
    from mnist_seq.runs.events import WATCHERS
    from mnist_seq.runs.folder import RunFolder
    from mnist_seq.runs.lock import locked
    from mnist_seq.tracking import check_tracker, open_tracker
    from mnist_seq.tracking.sweep_view import tell_of_kept
    from mnist_seq.training.device import check_device, torch_as_before
    from mnist_seq.training.preflight.check import check_run
    from mnist_seq.training.preflight.find import find_data
    from mnist_seq.training.preflight.kernel import settled
    from mnist_seq.training.preflight.match import with_hidden_solved
    from mnist_seq.training.preflight.origin import described, with_origin
    from mnist_seq.training.progress import open_progress
    from mnist_seq.training.run import Job, recorded_end
    from mnist_seq.training.run import train_run as train
    from mnist_seq.waypoints.listener import open_waypoints

    if not isinstance(config, Config):
        config = _of_hydra(config)
    check_device(config.device)
    check_tracker(config)
    now = datetime.datetime.now()
    path = Path(folder or f"outputs/runs/{now:%Y-%m-%d_%H-%M-%S-%f}")
    config, located = find_data(with_hidden_solved(with_origin(config, RunFolder(path))))
    config, of_kernel = settled(config, RunFolder(path))
    check_run(config)
    console = plain_in_notebooks()
    for notice in (located.notice, of_kernel, described(config)):
        if notice:
            say(console, notice)
    path.mkdir(parents=True, exist_ok=True)
    job = Job(config=config, located=located, folder=RunFolder(path), name=config.model.name)
    with locked(path, what="a run", wait_s=0.0):
        if recorded_end(job) is None:
            tracker = open_tracker(config, job.folder)
            beside = open_waypoints(config, job.folder, located.fingerprint, console)
            with torch_as_before():  # what else the notebook computes keeps its numbers
                train(job, [tracker, open_progress(console), *WATCHERS, *beside])
        else:
            tell_of_kept([(config, job.folder)], path, tell=lambda _, text: say(console, text))
    return load_run(path)


def build_report(*sweeps: str | Path, **keys: Any) -> "NotebookReport":
    """What `python -m mnist_seq.compare` writes, as one value: its tables are shown as they are.

    Args:
        sweeps: folders of sweeps or runs.
        keys: those of `conf/compare.yaml`: `baseline="model=lstm"`, `where="seed=0"`, ...

    Raises:
        ValueError: the runs cannot be compared, or not as asked.
    """
    from omegaconf import OmegaConf

    from mnist_seq.compare import build_from
    from mnist_seq.config.paths import conf_dir
    from mnist_seq.report.keys import read_options
    from mnist_seq.report.render.notebook import for_notebook

    values = OmegaConf.to_container(OmegaConf.load(conf_dir() / "compare.yaml"))
    assert isinstance(values, dict)
    if unknown := sorted(set(keys) - set(values)):
        raise ConfigError(f"no code reads {unknown[0]}; the keys are those of conf/compare.yaml")
    options = read_options({str(key): value for key, value in {**values, **keys}.items()})
    return for_notebook(build_from([Path(sweep) for sweep in sweeps], options))
