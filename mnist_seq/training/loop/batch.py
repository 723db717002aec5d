"""The batch of one training step."""

import torch
from jaxtyping import Int64
from torch import Tensor

from mnist_seq.config import Config
from mnist_seq.tasks.augment import augment
from mnist_seq.tasks.task import Batch, Task
from mnist_seq.training.seeds import derive


def training_batch(
    config: Config, task: Task, positions: Int64[Tensor, " B"], *, step: int
) -> Batch:
    """The batch at some positions of the train part, augmented as the config asks.

    Args:
        step: updates before this one; with the run's seed it says what is drawn.
    """
    x, y = task.train_batch(positions)
    data = config.data
    if not data.is_augmented:
        return x, y
    generator = torch.Generator(x.device).manual_seed(derive(config.seed, f"augment/{step}"))
    x = augment(
        x,
        shift=data.shift,
        noise=data.noise,
        drop_steps=data.drop_steps,
        blank=task.blank,
        generator=generator,
    )
    return x, y
