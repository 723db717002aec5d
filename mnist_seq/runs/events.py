"""What a run tells those who watch it: progress bars, the tracker, the sweep."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, UInt8

State = Literal["finished", "diverged", "failed", "interrupted"]
Row = dict[str, float | int]  # a line of metrics.jsonl


def value_text(metric: str, value: float) -> str:
    """A metric's value as a reader wants it: accuracies in percent, losses in nats."""
    return f"{100 * value:.2f} %" if metric.endswith("/accuracy") else f"{value:.4f}"


@dataclass(frozen=True)
class Started:
    """A run is about to take its first step, or its first one after a resume."""

    name: str  # "lstm" or the swept overrides
    folder: Path
    num_params: int
    num_steps: int  # in all, were nothing to stop it early
    first_step: int  # 0, or the step that it resumes from
    num_epochs: int
    device: str


@dataclass(frozen=True)
class Progress:
    """Where a run stands between two evaluations."""

    step: int
    epoch: float
    loss: float  # mean training loss a step since the last event


@dataclass(frozen=True)
class Samples:
    """Predictions for the first test images, N of them."""

    images: UInt8[np.ndarray, "N 28 28"]
    labels: Int[np.ndarray, " N"]
    predictions: Int[np.ndarray, " N"]


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    state: State
    exit_code: int  # 0 also when diverged: an outcome, not a crash
    reason: str = ""  # one line, where it did not finish
    metrics: Row = field(default_factory=dict)  # last values, `split/name`
    best: Row = field(default_factory=dict)  # best valid/accuracy and its step
    seconds: float = 0.0
    samples: Samples | None = None


class Listener:
    """Watches one run. Every method may be left as it is; none may raise for a fault of its own."""

    def started(self, event: Started) -> None: ...

    def progressed(self, event: Progress) -> None: ...

    def evaluated(self, row: Row) -> None:
        """One line of `metrics.jsonl`: step, epoch, seconds and `split/name` values."""

    def ended(self, event: Ended) -> None: ...


# Who watches every run of this process, beside those that its caller names: a pool's parent
WATCHERS: list[Listener] = []


def tell(listeners: list[Listener], call: Callable[[Listener], Any]) -> None:
    """Tell all listeners, in their order."""
    for listener in listeners:
        call(listener)
