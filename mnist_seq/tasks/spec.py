"""What goes into a net and what comes out, and the metrics that follow from it."""

from dataclasses import dataclass
from typing import Literal

Output = Literal["class", "bits", "value"]


@dataclass(frozen=True)
class Spec:
    """What goes into a net and what comes out, known before any example is read.

    Args:
        input: "vector": D numbers a time step. "token": one of D words, which the net sees one-hot.
        input_size: D.
        output: "class" (cross-entropy), "bits" (binary cross-entropy of each), "value" (squared
            error).
        num_outputs: classes, bits or values.
        time_steps: of the longest sequence.
        per_step: whether the net answers at every time step (a mask may say which count), or once,
            at the end of each sequence.
        varied: whether sequences of one batch differ in length.
    """

    input: Literal["vector", "token"]
    input_size: int
    output: Output
    num_outputs: int
    time_steps: int
    per_step: bool = False
    varied: bool = False


@dataclass(frozen=True)
class Metric:
    """How one metric is read and written.

    Args:
        unit: of a value as people read it; `points`: of a difference of two values.
        scale: a stored value times this is what people read: 100 for fractions shown in percent.
        decimals: digits after the point in messages.
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
    """The metrics of an evaluation by their names; the first is the one that choices go by.

    `accuracy` counts classes, or bits, that are right. `sequence_accuracy` counts sequences of
    which all counted answers are right. `loss` is what training minimises: the mean cross-entropy,
    for values the mean squared error, which `mse` names too.
    """
    if output == "value":
        return {"mse": ERROR, "mae": ERROR, "r2": R2, "loss": ERROR}
    if output == "bits" or per_step:
        return {"accuracy": SHARE, "sequence_accuracy": SHARE, "loss": LOSS}
    return {"accuracy": SHARE, "loss": LOSS}
