"""The data of a run, found before anything is trained; without torch, for plans ask for it too."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.parse import check_steps
from mnist_seq.config.schema import NUM_TRAIN
from mnist_seq.tasks.locate import Located, locate, remember


def find_data(config: Config) -> tuple[Config, Located]:
    """Find the data set, and let the config name the one that was found.

    Where MNIST cannot be had, `mnist_5k` stands in for it; its validation set is the same share of
    the training images.

    Raises:
        ConfigError: the split, or the schedule, does not fit the data that was found.
        ValueError: the data cannot be found, or is damaged.
    """
    located = locate(config.data.name, Path(config.data.root))
    if located.name == config.data.name:
        return config, located
    of, instead = NUM_TRAIN[config.data.name], NUM_TRAIN[located.name]
    # The same share; at least one image where there was one, and one left to train on
    valid = round(config.data.valid * instead / of)
    valid = min(max(valid, 1), instead - 1) if config.data.valid else 0
    limit = config.data.limit
    if limit != "all" and limit > instead - valid:
        raise ConfigError(
            f"data.limit must not exceed the training images of {located.name}, which stands in "
            f"for {config.data.name}: data.limit={limit} of {instead - valid:,}; choose a smaller "
            "data.limit, or data.limit=all"
        )
    data = config.data.model_copy(update={"name": located.name, "valid": valid})
    split = f"; data.valid={config.data.valid} becomes {valid}" if config.data.valid else ""
    located = replace(located, notice=f"{located.notice}{split}")
    config = config.model_copy(update={"data": data})
    check_steps(config)
    return config, located


def find_all(configs: Sequence[Config]) -> list[tuple[Located, Path]]:
    """Find each data set that some configs name, once; for `remember_all` in other processes."""
    wanted = dict.fromkeys((config.data.name, config.data.root) for config in configs)
    return [(locate(name, Path(root)), Path(root)) for name, root in wanted]


def remember_all(found: Sequence[tuple[Located, Path]]) -> None:
    """Take over what another process found, so that this one neither hashes nor probes."""
    for located, root in found:
        remember(located, root)
