"""What validation chooses by: the best weights, those kept, and when a run is stopped early."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from torch import nn

from mnist_seq.config.schema import Training
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tasks import Task
from mnist_seq.training import checkpoint


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


class Kept:
    """Weights of the best evaluations, which a run keeps beside best.pt.

    The rank comes from the rows of metrics.jsonl. A resume goes back to a checkpoint, so what was
    among the best there stays until the next one is written.

    Args:
        num: how many are kept; with 0, none is written.

    Attributes:
        values: those that choices go by, by the step of the evaluation.
    """

    def __init__(self, folder: RunFolder, choice: Choice, num: int) -> None:
        self._folder, self._choice, self._num = folder, choice, num
        self.values: dict[int, float] = {}
        self._in_checkpoint: list[int] = []

    def restore(self) -> None:
        """Read the values from metrics.jsonl, and remove weights of evaluations that it lacks."""
        found = ((row.get("step"), row.get(self._choice.name)) for row in self._folder.metrics())
        self.values = {int(s): float(v) for s, v in found if s is not None and v is not None}
        self._in_checkpoint = self._best()
        self._folder.prune_kept(self._in_checkpoint)

    def add(self, step: int, value: float, model: nn.Module) -> None:
        """Take an evaluation: its weights are written if they are among the best so far."""
        if math.isnan(value):  # metrics.jsonl has null there, and a resume reads none
            return
        self.values[step] = value
        if self._num:
            steps = self._best()
            if step in steps:
                checkpoint.save_weights(self._folder.kept_path(step, value), model)
            self._folder.prune_kept([*steps, *self._in_checkpoint])

    def prune(self) -> None:
        """Remove what is not among the best, once a checkpoint or the result is written."""
        if self._num:
            self._in_checkpoint = self._best()
            self._folder.prune_kept(self._in_checkpoint)

    def _best(self) -> list[int]:
        """The steps whose weights are kept; all where none are written, as those that an earlier
        start has left are not this one's to remove."""
        return ranked(self.values, self._choice)[: self._num or None]


def ranked(values: Mapping[int, float], choice: Choice) -> list[int]:
    """Steps of evaluations, the best first and of equal ones the earlier; NaN has no rank.

    Every difference counts here: `min_delta` says when a run has stopped improving.
    """
    sign = -1.0 if choice.is_higher_better else 1.0
    steps = (step for step, value in values.items() if not math.isnan(value))
    return sorted(steps, key=lambda step: (sign * values[step], step))
