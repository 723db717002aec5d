"""Finds the run that another run starts from, and refuses what does not fit, before it starts."""

from collections.abc import Sequence
from pathlib import Path

from mnist_seq.config import Config, ConfigError
from mnist_seq.runs.folder import RunFolder


def with_origin(config: Config, folder: RunFolder | None = None) -> Config:
    """The config with the identity of its source, `training.init_source`.

    Args:
        folder: of the run; one that has begun keeps its source, which then need not be there.

    Raises:
        ConfigError: there is no such source, or it has no weights.
    """
    training = config.training
    if training.init_from == "none":
        return config
    source = Path(training.init_from)
    if not source.is_dir():
        known = _recorded(folder) or training.init_source
        if known == "none":
            raise _no_folder(source)
        return _with_source(config, known)
    from mnist_seq.training.loop.start import file_of, source_of  # imports torch

    try:
        return _with_source(config, source_of(training))
    except FileNotFoundError as error:
        missing = Path(error.filename or file_of(training)).name
        why = "is no run's folder" if missing == "run.json" else "has not ended"
        raise ConfigError(
            f"training.init_from must be a run with weights: {source} has no {missing}, so it {why}"
        ) from None


def with_recorded(config: Config, runs: Sequence[RunFolder]) -> Config:
    """The config with the source that runs of its sweep began with, where its folder is gone.

    Args:
        runs: of the sweep that have begun.

    Raises:
        ConfigError: they name another folder, so that nobody can say whether it was this one.
    """
    training = config.training
    is_there = training.init_from == "none" or Path(training.init_from).is_dir()
    if is_there or training.init_source != "none":
        return config
    asked = [run.record()["config"].get("training", {}) for run in runs]
    by_folder = {of.get("init_from"): str(of["init_source"]) for of in asked if "init_source" in of}
    if training.init_from in by_folder:
        return _with_source(config, by_folder[training.init_from])
    if len(found := set(by_folder.values())) == 1:
        raise _no_folder(
            Path(training.init_from),
            f", or, to go on with this sweep's runs, +training.init_source={found.pop()}",
        )
    return config


def _no_folder(source: Path, more: str = "") -> ConfigError:
    return ConfigError(
        f"training.init_from must be a run's folder: there is no {source}; write "
        f"training.init_from=outputs/runs/<date>{more}"
    )


def _with_source(config: Config, source: str) -> Config:
    training = config.training.model_copy(update={"init_source": source})
    return config.model_copy(update={"training": training})


def _recorded(folder: RunFolder | None) -> str:
    """The source of the run that has begun in a folder, or ""."""
    if folder is None or not folder.has_begun():
        return ""
    training = folder.record()["config"].get("training", {})
    return str(training.get("init_source", ""))


def check_origin(config: Config) -> None:
    """Refuse a source or frozen weights that do not go with the net.

    Raises:
        ConfigError: names the key.
    """
    training = config.training
    if training.init_from == "none" and not training.freeze:
        return
    from mnist_seq.tasks import task_of
    from mnist_seq.training.loop.start import frozen_names, load_start
    from mnist_seq.training.preflight.count import unseeded

    model = unseeded(config.model, task_of(config.data).spec)
    if training.freeze:
        frozen_names(training.freeze, [name for name, _ in model.named_parameters()])
    if training.init_from != "none" and Path(training.init_from).is_dir():
        load_start(config, model)


def described(config: Config) -> str:
    """A line on where the weights come from; "" where they are new."""
    if config.training.init_from == "none":
        return ""
    from mnist_seq.runs.console import near

    what = "weights and optimizer" if config.training.init_optimizer else "weights"
    head = ", with a new head" if config.training.init_head == "new" else ""
    return f"starts from the {what} of {near(config.training.init_from)}{head}"
