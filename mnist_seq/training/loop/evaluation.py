"""Loss, metrics and answers over a part of the data."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from mnist_seq.tasks import Spec
from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.training.loop.objective import answers, metrics_from, sums_of


@dataclass(frozen=True)
class Evaluation:
    """Metrics and answers of a model on N examples.

    Attributes:
        metrics: by name, those of `mnist_seq.tasks.spec.metrics_of`.
        predictions: classes [N], bits or values [N, K]; [N, T] and [N, T, K] where each time step
            is answered.
    """

    metrics: dict[str, float]
    predictions: Tensor

    @property
    def loss(self) -> float:
        """What training minimises."""
        return self.metrics["loss"]


def evaluate(
    outputs_of: Callable[[Batch], Tensor], batches: Iterable[Batch], spec: Spec
) -> list[Evaluation]:
    """Evaluate R runs at once.

    Args:
        outputs_of: a batch of R runs to outputs [R, B, K] or [R, T, B, K], in evaluation mode.
        batches: the predictions are in their order.
    """
    sums, predictions, num_examples = [], [], 0
    for batch in batches:
        outputs = outputs_of(batch)
        sums.append(sums_of(spec, outputs, batch))
        said = answers(spec, outputs)
        predictions.append(said.transpose(1, 2) if spec.per_step else said)  # [R, B, ...]
        num_examples += batch.num_examples
    predicted = torch.cat(predictions, dim=1)
    totals = {  # MPS has no float64
        name: torch.stack([each[name] for each in sums]).cpu().double().sum(dim=0).tolist()
        for name in sums[0]
    }
    found = []
    for r, of_run in enumerate(predicted):
        own = {name: of_runs[r] for name, of_runs in totals.items()}
        found.append(Evaluation(metrics_from(spec, own, num_examples), of_run))
    return found
