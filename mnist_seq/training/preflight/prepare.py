"""Prepares a checked config: solves its size, finds its data, asks whether it can run here."""

from dataclasses import dataclass

from mnist_seq.config import Config
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tasks import Located
from mnist_seq.training.preflight.find import find_data
from mnist_seq.training.preflight.match import with_hidden_solved
from mnist_seq.training.preflight.origin import with_origin


@dataclass(frozen=True)
class Prepared:
    """What a run needs to train.

    Attributes:
        config: with `model.hidden` solved, and with the name of the data that was found.
        located: the data.
    """

    config: Config
    located: Located


def prepare(config: Config, folder: RunFolder | None = None) -> Prepared:
    """Solve a config's size and find its data. Nothing is written, and torch is rarely needed.

    Args:
        folder: of the run, which may have begun.

    Raises:
        ConfigError: the size or the split is impossible.
        ValueError: the data cannot be found, or is damaged.
    """
    config, located = find_data(with_hidden_solved(with_origin(config, folder)))
    return Prepared(config, located)


def check_machine(config: Config) -> None:
    """Refuse a run that cannot train, or that this machine has no device or memory for.

    Raises:
        ConfigError: names the key to be changed.
    """
    from mnist_seq.training.device import check_device
    from mnist_seq.training.preflight.check import check_run

    check_device(config.device)
    check_run(config)
