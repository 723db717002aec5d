"""Loss, metrics and answers over a part of the data."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mnist_seq.runs.events import Row
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


def named(part: str, metrics: Mapping[str, float]) -> Row:
    """Metrics as metrics.jsonl and result.json name them: `valid/accuracy`."""
    return {f"{part}/{name}": value for name, value in metrics.items()}


def last_metrics(rows: Sequence[Mapping[str, Any]]) -> Row:
    """Metrics of the last row that are numbers; the loss of a diverged run may be null."""
    last = rows[-1] if rows else {}
    return {k: v for k, v in last.items() if "/" in k and v is not None}


def metrics_at_end(
    rows: Sequence[Mapping[str, Any]],
    test: Evaluation,
    probes: Mapping[int, Evaluation],
    *,
    best_step: int | None,
) -> Row:
    """All metrics of a finished run: the last ones, and those on test and on other lengths.

    Args:
        rows: of metrics.jsonl.
        best_step: of the evaluation whose weights were tested; None for the last one.
    """
    metrics = last_metrics(rows)
    if best_step is not None:
        best_row = next(row for row in reversed(rows) if row["step"] == best_step)
        metrics |= {k: v for k, v in best_row.items() if k.startswith("valid/")}
    metrics |= named("test", test.metrics)
    for length, probe in probes.items():  # a net may be finite on its own length alone
        finite = {k: v for k, v in probe.metrics.items() if math.isfinite(v)}
        metrics |= named(f"test@{length}", finite)
    return metrics
