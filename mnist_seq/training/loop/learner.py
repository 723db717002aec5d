"""What one run computes with: its config, data, model and random numbers."""

from dataclasses import dataclass

import torch

from mnist_seq.config import Config
from mnist_seq.models import Classifier
from mnist_seq.tasks.batches.task_data import TaskData
from mnist_seq.training.loop.budget import num_steps, steps_per_epoch


@dataclass(frozen=True)
class Learner:
    """The config, data and model of one run.

    Attributes:
        generator: draws the dropout.
    """

    config: Config
    data: TaskData
    model: Classifier
    generator: torch.Generator

    @property
    def makes_batches(self) -> bool:
        """Whether a batch is more than a gather from the training set."""
        data = self.data
        return data.is_stream or data.num_padded > 0 or self.config.data.changes is not None

    @property
    def steps_per_epoch(self) -> int:
        """Updates of an epoch; its last batch may be smaller."""
        return steps_per_epoch(self.config.training, self.data.num_train)

    @property
    def num_steps(self) -> int:
        """Updates of the run, if nothing stops it early."""
        return num_steps(self.config.training, self.data.num_train)
