"""Losses and metrics of a net's answers, by what its task wants: a class, bits or values.

Means are over the counted time steps of a whole batch, or of a whole part of the data: a long
sequence weighs more than a short one. All functions take R runs at once, or none.
"""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from mnist_seq.tasks import Spec
from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.training.device import sum_dtype

Sums = dict[str, Tensor]  # over the examples of a batch, [R] each


def losses_of(logits: Float[Tensor, "*R B C"], y: Int64[Tensor, "*R B"]) -> Float[Tensor, "*R B"]:
    """Cross-entropy of each answer in nats, in float32 or better.

    `torch.func.vmap` over `F.cross_entropy` would import sympy, which takes longer than an epoch.
    """
    losses = F.cross_entropy(_wide(logits).flatten(0, -2), y.flatten(), reduction="none")
    return losses.view(y.shape)


def answer_losses(spec: Spec, outputs: Tensor, y: Tensor) -> Tensor:
    """The loss of each answer; bits and values of one answer are averaged."""
    if spec.output == "class":
        return losses_of(outputs, y)
    if spec.output == "bits":
        losses = F.binary_cross_entropy_with_logits(_wide(outputs), y, reduction="none")
    else:
        losses = (_wide(outputs) - y).square()
    return losses.mean(dim=-1)


def mean_loss(spec: Spec, outputs: Tensor, batch: Batch) -> Float[Tensor, "*R"]:
    """The loss of a batch."""
    losses = answer_losses(spec, outputs, batch.y)
    if not spec.per_step:
        return losses.mean(dim=-1)
    if batch.mask is None:
        return losses.mean(dim=(-2, -1))
    mask = batch.mask.to(losses.dtype)
    return (losses * mask).sum(dim=(-2, -1)) / mask.sum(dim=(-2, -1))


def accuracy(spec: Spec, outputs: Tensor, batch: Batch) -> Float[Tensor, "*R"]:
    """The share of a batch's counted answers that are right."""
    share = _share_right(spec, answers(spec, outputs) == batch.y)
    return _counted(share, batch, spec) / _counted(torch.ones_like(share), batch, spec)


def answers(spec: Spec, outputs: Tensor) -> Tensor:
    """What the outputs say: classes, bits (0 or 1) or values."""
    if spec.output == "class":
        return outputs.argmax(dim=-1)
    return (outputs > 0).to(torch.uint8) if spec.output == "bits" else _wide(outputs)


def sums_of(spec: Spec, outputs: Tensor, batch: Batch) -> Sums:
    """What `metrics_from` needs of a batch: sums over its counted answers."""
    losses, said, y = answer_losses(spec, outputs, batch.y), answers(spec, outputs), batch.y
    sums = {"loss": _counted(losses, batch, spec)}
    sums["count"] = _counted(torch.ones_like(losses), batch, spec)
    if spec.output == "value":
        sums["absolute"] = _counted((said - y).abs().mean(dim=-1), batch, spec)
        for k in range(spec.num_outputs):
            wide = y[..., k].to(sum_dtype(y.device))
            sums[f"y/{k}"] = _counted(wide, batch, spec)
            sums[f"y2/{k}"] = _counted(wide.square(), batch, spec)
        return sums
    is_right = said == y
    share = _share_right(spec, is_right)
    is_whole = is_right if spec.output == "class" else is_right.all(dim=-1)
    sums["right"] = _counted(share, batch, spec)
    if spec.per_step:
        is_whole = (is_whole if batch.mask is None else is_whole | ~batch.mask).all(dim=-2)
    sums["whole"] = is_whole.sum(dim=-1)
    return sums


def _share_right(spec: Spec, is_right: Tensor) -> Tensor:
    """How far each answer is right: 0 or 1, or the share of its bits."""
    return is_right if spec.output == "class" else is_right.float().mean(dim=-1)


def metrics_from(spec: Spec, sums: dict[str, float], num_examples: int) -> dict[str, float]:
    """The metrics of a part of the data from the sums over its batches."""
    count = sums["count"]
    loss = sums["loss"] / count
    if spec.output != "value":
        found = {"accuracy": sums["right"] / count}
        if spec.output == "bits" or spec.per_step:
            found["sequence_accuracy"] = sums["whole"] / num_examples
        return {**found, "loss": loss}
    outputs = range(spec.num_outputs)
    spread = sum(sums[f"y2/{k}"] / count - (sums[f"y/{k}"] / count) ** 2 for k in outputs)
    spread /= spec.num_outputs
    r2 = 1 - loss / spread if spread > 0 else math.nan
    return {"mse": loss, "mae": sums["absolute"] / count, "r2": r2, "loss": loss}


def _counted(each: Tensor, batch: Batch, spec: Spec) -> Tensor:
    """The sum over the answers of a batch that count."""
    if not spec.per_step:
        return each.sum(dim=-1)
    return (each if batch.mask is None else each * batch.mask).sum(dim=(-2, -1))


def _wide(outputs: Tensor) -> Tensor:
    return outputs.float() if outputs.dtype == torch.bfloat16 else outputs
