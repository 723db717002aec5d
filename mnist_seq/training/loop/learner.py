"""What one run computes with: its config, data, model and random numbers."""

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
