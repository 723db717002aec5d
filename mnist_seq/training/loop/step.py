"""One optimizer update."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mnist_seq.tasks import Spec
from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.training.device import autocast
from mnist_seq.training.loop.objective import accuracy, mean_loss


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    *,
    spec: Spec,
    clip_norm: float,
    clip_value: float = math.inf,
    precision: str,
    noises: tuple[Tensor, ...] | None = None,
    rights: Tensor | None = None,
) -> Float[Tensor, ""]:
    """Update the weights once. Nothing waits for the device.

    Args:
        clip_norm: largest Euclidean norm of the gradient over all weights; inf never clips.
        clip_value: largest absolute value of each number of the gradient; inf never clips.
        noises: random factors of the model's dropout; None draws them with torch's generator.
        rights: the examples of the batch times its accuracy are added to it, [R]; None adds none.

    Returns:
        The loss of the batch before the update: see `mean_loss`.
    """
    optimizer.zero_grad(set_to_none=True)
    with autocast(batch.x.device, precision):
        outputs = model(batch.x, noises, batch.lengths)
    loss = mean_loss(spec, outputs, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    if not math.isinf(clip_norm):
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    if not math.isinf(clip_value):
        nn.utils.clip_grad_value_(model.parameters(), clip_value)
    optimizer.step()
    if rights is not None:
        rights += accuracy(spec, outputs.detach(), batch) * batch.num_examples
    return loss.detach()
