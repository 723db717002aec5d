"""What validation chooses by: the best weights, and when early stopping ends a run."""

import math
from typing import NamedTuple

from mnist_seq.config.schema import Training
from mnist_seq.tasks import Task


class Choice(NamedTuple):
    """The value on valid that the best weights and early stopping go by.

    Attributes:
        name: as in metrics.jsonl: `valid/accuracy`.
        min_delta: improvements up to this one count as none.
    """

    name: str
    is_higher_better: bool
    min_delta: float

    def is_better(self, value: float, than: float) -> bool:
        """Whether a value is an improvement of an earlier one; any number is, of NaN."""
        if math.isnan(than):
            return not math.isnan(value)
        if self.is_higher_better:
            return value > than + self.min_delta
        return value < than - self.min_delta


def choice_of(training: Training, task: Task) -> Choice:
    """What a config chooses by; the task's own metric where it leaves that open."""
    metric = task.main if training.best == "auto" else training.best.removeprefix("valid/")
    of_task = task.metrics.get(metric)  # the loss need not be one of them
    is_higher_better = of_task is not None and of_task.higher_is_better
    return Choice(f"valid/{metric}", is_higher_better, training.min_delta)
