"""The spec of a task (input, output, shapes), and the metrics that follow from it."""

from dataclasses import dataclass
from typing import Literal

Output = Literal["class", "bits", "value"]


@dataclass(frozen=True)
class Spec:
    """Input, output and shapes of a task, known before any example is read.

    Args:
        input: "vector", D numbers at each time step; "token", one of D words, one-hot for the
            network or embedded.
        input_size: D.
        output: "class" (cross-entropy), "bits" (binary cross-entropy of each), "value" (squared
            error).
        num_outputs: number of classes, bits or values.
        time_steps: length of the longest sequence.
        per_step: whether the network answers at every time step (a mask may say which steps count),
            or once for each sequence.
        varied: whether the sequences of a batch differ in length.
        shortest: length of the shortest training batch, where each batch has one length; 0 if all
            have `time_steps`.
        embedding: numbers that a token becomes, by weights that are trained; 0 for one-hot.
    """

    input: Literal["vector", "token"]
    input_size: int
    output: Output
    num_outputs: int
    time_steps: int
    per_step: bool = False
    varied: bool = False
    shortest: int = 0
    embedding: int = 0


@dataclass(frozen=True)
class Metric:
    """Direction, unit and format of a metric.

    Args:
        unit: unit of a value in a report; `points`: unit of a difference.
        scale: factor from the stored value to that in a report; 100 for fractions shown in percent.
        decimals: number of decimals in messages.
    """

    higher_is_better: bool
    unit: str
    points: str
    scale: float
    decimals: int


SHARE = Metric(True, "%", "points", 100.0, 2)
LOSS = Metric(False, "nats", "nats", 1.0, 4)
ERROR = Metric(False, "", "", 1.0, 4)
R2 = Metric(True, "", "", 1.0, 4)


def metrics_of(output: Output, *, per_step: bool) -> dict[str, Metric]:
    """The metrics of an evaluation by name; the first one is used for every choice.

    `accuracy` is the share of correct classes or bits. `sequence_accuracy` is the share of
    sequences whose counted answers are all correct. `loss` is minimised in training: the mean
    cross-entropy, or for values the mean squared error, which is also `mse`.
    """
    if output == "value":
        return {"mse": ERROR, "mae": ERROR, "r2": R2, "loss": ERROR}
    if output == "bits" or per_step:
        return {"accuracy": SHARE, "sequence_accuracy": SHARE, "loss": LOSS}
    return {"accuracy": SHARE, "loss": LOSS}
