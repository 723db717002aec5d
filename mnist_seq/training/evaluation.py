"""Loss, accuracy and predictions over a part of the data."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Int64
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.data.task import Task
from mnist_seq.training.device import autocast


@dataclass(frozen=True)
class Evaluation:
    """What a model does on some examples, N of them."""

    loss: float  # mean cross-entropy in nats
    accuracy: float  # fraction
    predictions: Int64[Tensor, " N"]


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    task: Task,
    part: Literal["train", "valid", "test"],
    *,
    batch_size: int,
    precision: str,
    limit: int | None = None,
) -> Evaluation:
    """Evaluate on a part of the data, in its order; the model is left in training mode."""
    model.eval()
    losses, predictions, labels = [], [], []
    for x, y in task.batches(part, batch_size, limit=limit):
        with autocast(x.device, precision):
            logits = model(x)
        losses.append(F.cross_entropy(logits.float(), y, reduction="sum"))
        predictions.append(logits.argmax(dim=-1))
        labels.append(y)
    model.train()
    predicted, label = torch.cat(predictions), torch.cat(labels)
    return Evaluation(
        loss=float(torch.stack(losses).double().sum()) / len(label),
        accuracy=float((predicted == label).double().mean()),
        predictions=predicted,
    )
