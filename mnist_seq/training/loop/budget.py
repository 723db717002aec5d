"""How many updates a run makes."""

import math

from mnist_seq.config.schema import Training


def steps_per_epoch(training: Training, num_train: int) -> int:
    """Updates of an epoch of `num_train` examples; its last batch may be smaller."""
    return math.ceil(num_train / training.batch_size)


def num_steps(training: Training, num_train: int) -> int:
    """Updates of a run that nothing stops early."""
    if training.updates != "none":
        return training.updates
    return steps_per_epoch(training, num_train) * training.epochs
