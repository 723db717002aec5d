"""What one run computes with: its config, data, model and random numbers."""

import math
from dataclasses import dataclass

import torch

from mnist_seq.config import Config
from mnist_seq.models import Classifier
from mnist_seq.tasks.batches.task_data import TaskData


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
    def steps_per_epoch(self) -> int:
        """Updates of an epoch; its last batch may be smaller."""
        return math.ceil(self.data.num_train / self.config.training.batch_size)
