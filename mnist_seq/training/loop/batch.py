"""Makes the batch of one training step, generated or gathered, augmented if asked."""

import torch
from jaxtyping import Int64
from torch import Tensor

from mnist_seq.config import Config
from mnist_seq.tasks.batches.augment import augment
from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.tasks.batches.task_data import TaskData
from mnist_seq.training.seeds import derive


def training_batch(
    config: Config, data: TaskData, positions: Int64[Tensor, " B"], *, step: int
) -> Batch:
    """The batch of a step, augmented as the config asks.

    Args:
        positions: in the train part; not used where the examples are generated.
        step: updates before this one. What is drawn depends on it and on the seed alone.
    """
    batch, changes = data.batch_at(step, positions), config.data.changes
    if changes is None:
        return batch
    generator = torch.Generator(batch.x.device).manual_seed(derive(config.seed, f"augment/{step}"))
    x = augment(
        batch.x,
        shift=changes.shift,
        noise=changes.noise,
        drop_steps=changes.drop_steps,
        blank=data.blank,
        generator=generator,
    )
    return batch._replace(x=x)
