"""The data of a run, found before anything is trained; without torch, for plans ask for it too."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mnist_seq.config import Config, ConfigError
from mnist_seq.tasks import Located, locate, remember, task_class, task_of
from mnist_seq.training.preflight.task import check_steps, check_task


def find_data(config: Config) -> tuple[Config, Located]:
    """Find the data set, and let the config name the one that was found.

    Where another data set stands in for the one asked for, its validation set is the same share of
    the training examples.

    Raises:
        ConfigError: the config does not go with its task, or not with the data that was found.
        ValueError: the data cannot be found, or is damaged.
    """
    task = check_task(config)
    located = locate(task, Path(config.data.root))
    if located.name == config.data.name:
        return config, located
    data = config.data.model_copy(update={"name": located.name})
    of, instead = task.num_train, task_of(data).num_train
    # The same share; at least one image where there was one, and one left to train on
    valid = round(config.data.valid * instead / of)
    valid = min(max(valid, 1), instead - 1) if config.data.valid else 0
    limit = config.data.limit
    if limit != "all" and limit > instead - valid:
        raise ConfigError(
            f"data.limit must not exceed the training {task.noun} of {located.name}, which stands "
            f"in for {config.data.name}: data.limit={limit} of {instead - valid:,}; choose a "
            "smaller data.limit, or data.limit=all"
        )
    data = data.model_copy(update={"valid": valid})
    split = f"; data.valid={config.data.valid} becomes {valid}" if config.data.valid else ""
    located = replace(located, notice=f"{located.notice}{split}")
    config = config.model_copy(update={"data": data})
    check_steps(config)
    return config, located


def find_all(configs: Sequence[Config]) -> list[tuple[Located, Path]]:
    """Find each data set that some configs name, once; for `remember_all` in other processes."""
    found: dict[tuple[str, str, str], tuple[Located, Path]] = {}
    for config in configs:
        root = Path(config.data.root)
        located = locate(task_of(config.data), root)
        found[located.requested, str(root), located.source] = located, root
    return list(found.values())


def remember_all(found: Sequence[tuple[Located, Path]]) -> None:
    """Take over what another process found, so that this one neither hashes nor probes."""
    for located, root in found:
        remember(located, root)


def preload(name: str) -> None:
    """Do once, in the process that forks a sweep's workers, what each would do for a data set.

    Args:
        name: of the data set; nothing is done where it is unknown, which the plan refuses.
    """
    with contextlib.suppress(ValueError):
        task_class(name).preload()
