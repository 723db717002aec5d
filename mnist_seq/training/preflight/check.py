"""Refuses a run that cannot train, before anything of it is written."""

from mnist_seq.config import Config
from mnist_seq.training.preflight.memory import check_memory
from mnist_seq.training.preflight.optimizer import traits
from mnist_seq.training.preflight.schedule import check_schedule
from mnist_seq.training.preflight.task import num_steps, steps_per_epoch


def check_run(config: Config) -> None:
    """Ask the optimizer, the schedule and the memory whether they can do what a config asks.

    Args:
        config: as it will be trained: data found, hidden size solved.

    Raises:
        ConfigError: names the first key that cannot be as it is.
    """
    traits(config.optimizer)
    total = num_steps(config)
    per_epoch = steps_per_epoch(config)
    check_schedule(config.schedule, num_steps=total, steps_per_epoch=per_epoch)
    check_memory(config)
