"""Loss, accuracy and predictions over a part of the data."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from mnist_seq.training.loop.step import losses_of


@dataclass(frozen=True)
class Evaluation:
    """What a model does on some examples, N of them."""

    loss: float  # mean cross-entropy in nats
    accuracy: float  # fraction
    predictions: Int64[Tensor, " N"]


def evaluate(
    logits_of: Callable[[Tensor], Tensor], batches: Iterable[tuple[Tensor, Tensor]]
) -> list[Evaluation]:
    """Evaluate R runs at once.

    Args:
        logits_of: [R, T, B, D] to logits [R, B, C], in evaluation mode.
        batches: x [R, T, B, D] and y [R, B]; their order is that of the predictions.
    """
    losses, predictions, labels = [], [], []
    for x, y in batches:
        logits = logits_of(x)
        losses.append(losses_of(logits, y).sum(dim=-1))
        predictions.append(logits.argmax(dim=-1))
        labels.append(y)
    predicted, label = torch.cat(predictions, dim=-1), torch.cat(labels, dim=-1)
    count = label.shape[-1]
    total = torch.stack(losses).cpu().double().sum(dim=0)  # MPS has no float64
    correct = (predicted == label).sum(dim=-1)
    return [
        Evaluation(loss / count, hits / count, of_run)
        for loss, hits, of_run in zip(total.tolist(), correct.tolist(), predicted, strict=True)
    ]
