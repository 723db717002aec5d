"""One optimizer update."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.training.device import autocast


def losses_of(logits: Float[Tensor, "*R B C"], y: Int64[Tensor, "*R B"]) -> Float[Tensor, "*R B"]:
    """Cross-entropy of each example in nats, in float32 or better.

    `torch.func.vmap` over `F.cross_entropy` would import sympy, which takes longer than an epoch.
    """
    wide = logits.float() if logits.dtype == torch.bfloat16 else logits
    losses = F.cross_entropy(wide.flatten(0, -2), y.flatten(), reduction="none")
    return losses.view(y.shape)


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Float[Tensor, "T B D"],
    y: Int64[Tensor, " B"],
    *,
    clip_norm: float,
    precision: str,
    noises: tuple[Tensor, ...] | None = None,
) -> Float[Tensor, ""]:
    """Update the weights once; nothing in here waits for the device.

    Args:
        clip_norm: largest Euclidean norm of the gradient over all weights; inf never clips.
        noises: of the model's dropout; None lets it draw by torch's own generator.

    Returns:
        Mean cross-entropy of the batch before the update, in nats.
    """
    optimizer.zero_grad(set_to_none=True)
    with autocast(x.device, precision):
        logits = model(x, noises)
    loss = losses_of(logits, y).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    if not math.isinf(clip_norm):
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    return loss.detach()
