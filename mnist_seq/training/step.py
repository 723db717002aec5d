"""One optimizer update."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.training.device import autocast


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Float[Tensor, "T B D"],
    y: Int64[Tensor, " B"],
    *,
    clip_norm: float,
    precision: str,
) -> Float[Tensor, ""]:
    """Update the weights once; nothing in here waits for the device.

    Args:
        clip_norm: largest Euclidean norm of the gradient over all weights; inf never clips.

    Returns:
        Mean cross-entropy of the batch before the update, in nats.
    """
    optimizer.zero_grad(set_to_none=True)
    with autocast(x.device, precision):
        logits = model(x)
    loss = F.cross_entropy(logits.float(), y)
    loss.backward()  # type: ignore[no-untyped-call]
    if not math.isinf(clip_norm):
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    return loss.detach()
