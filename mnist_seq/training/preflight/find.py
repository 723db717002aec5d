"""Finds the data of a run, without importing torch."""

from dataclasses import replace
from pathlib import Path

from mnist_seq.config import Config, ConfigError
from mnist_seq.tasks import Located, locate, task_of
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
    monitored, num_test = config.training.monitor_test, task_of(data).num_test
    few = f"; training.monitor_test={monitored} reads all {num_test:,}"
    notice = f"{located.notice}{split}{few if monitored > num_test else ''}"
    located = replace(located, notice=notice)
    config = config.model_copy(update={"data": data})
    check_steps(config)
    return config, located
