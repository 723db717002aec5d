"""Events of a run, and listeners for them: progress lines, trackers, the sweep."""

import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, UInt8

from mnist_seq.runs.text import one_line, without_secrets

log = logging.getLogger("mnist_seq.runs")

State = Literal["finished", "diverged", "failed", "interrupted"]
Row = dict[str, float | int]  # a line of metrics.jsonl


Judged = Mapping[str, Any]  # `task` of run.json; the keys that are needed here: see BY_ACCURACY

# For runs whose run.json has no `task`
BY_ACCURACY: Judged = {
    "output": "class",
    "num_outputs": 10,
    "main": "accuracy",
    "metrics": {
        "accuracy": {"higher_is_better": True, "unit": "%", "scale": 100.0, "decimals": 2},
        "loss": {"higher_is_better": False, "unit": "nats", "scale": 1.0, "decimals": 4},
    },
}


def value_text(metric: str, value: float, judged: Judged = BY_ACCURACY) -> str:
    """A metric's value as a reader wants it: accuracies in percent, losses in nats."""
    facts = judged["metrics"].get(metric.rpartition("/")[2])
    if facts is None:
        return f"{value:.4f}"
    text = f"{facts['scale'] * value:.{facts['decimals']}f}"
    return f"{text} %" if facts["unit"] == "%" else text


@dataclass(frozen=True)
class Started:
    """A run is about to take its first step, or its first step after a resume."""

    name: str  # "lstm" or the swept overrides
    folder: Path
    num_params: int
    num_steps: int  # in all, if nothing stops it early
    first_step: int  # 0, or the step that it resumes from
    num_epochs: float
    device: str
    judged: Judged = field(default_factory=lambda: BY_ACCURACY)  # by which metrics


@dataclass(frozen=True)
class Progress:
    """How far a run is, between two evaluations."""

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
    best: Row = field(default_factory=dict)  # best of the metric that choices go by, and its step
    seconds: float = 0.0
    samples: Samples | None = None


@dataclass(frozen=True)
class Warned:
    """A listener raised an error, and gets no more calls for this run.

    Attributes:
        listener: its name.
        error: one line.
    """

    listener: str
    error: str

    @property
    def text(self) -> str:
        """The line for people."""
        return f"{self.listener} failed, and the run goes on without it: {self.error}"


class Listener:
    """Its methods are called with the events of one run. Override those that you need.

    An exception in a method costs one warning: the listener gets no more calls for this run.

    Attributes:
        name: what a warning calls it; "" for the name of its class.
    """

    name: str = ""

    def started(self, event: Started) -> None: ...

    def progressed(self, event: Progress) -> None: ...

    def evaluated(self, row: Row) -> None:
        """One line of `metrics.jsonl`: step, epoch, seconds and `split/name` values."""

    def ended(self, event: Ended) -> None: ...

    def warned(self, event: Warned) -> bool:
        """Another listener of the run failed. Returns whether this one shows it to people."""
        return False


# Listeners of every run of this process, in addition to those that its caller names. A worker of a
# pool adds one that passes events on to the pool
WATCHERS: list[Listener] = []


def tell(listeners: list[Listener], call: Callable[[Listener], Any]) -> None:
    """Call all listeners of a run, in their order. One that raises is taken out of the list.

    Only an `Exception` counts as a fault of the listener: signals and SystemExit pass.
    """
    warnings: list[Warned] = []
    tell_all(listeners, call, warn=warnings.append)
    for warning in warnings:
        _tell_of(warning, listeners)


def _tell_of(warning: Warned, listeners: list[Listener]) -> None:
    """Let the other listeners show a warning, or else the log."""
    shown: list[bool] = []
    tell(listeners, lambda listener: shown.append(listener.warned(warning)))
    if not any(shown):
        log.warning(warning.text)


def tell_all(
    listeners: list[Listener],
    call: Callable[[Listener], Any],
    *,
    warn: Callable[[Warned], None],
) -> None:
    """Call all listeners; one that raises is taken out of the list, and `warn` is called."""
    for listener in list(listeners):
        try:
            call(listener)
        except Exception as error:
            listeners[:] = [other for other in listeners if other is not listener]
            log.debug("%s", without_secrets("".join(traceback.format_exception(error))))
            warn(Warned(listener.name or type(listener).__name__, one_line(error)))
