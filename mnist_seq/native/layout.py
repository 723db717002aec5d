"""What a native step computes: the net, the update rule, and where its examples are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a plan reads the names below, and has no need of torch
    from torch import Tensor

CELLS = ("lstm", "gru", "rnn_tanh", "rnn_relu")  # their places are the numbers in net.cpp
READOUTS = ("last", "mean")
RULES = ("sgd", "adam", "adamw", "rmsprop")
_SETTINGS = {
    "sgd": {"momentum", "dampening", "nesterov"},
    "adam": {"beta1", "beta2", "eps"},
    "adamw": {"beta1", "beta2", "eps"},
    "rmsprop": {"alpha", "eps", "momentum", "centered"},
}


@dataclass(frozen=True)
class Layout:
    """A net: recurrent layers in one direction, and a linear layer that answers once a sequence.

    Attributes:
        cell: "lstm", "gru", "rnn_tanh" or "rnn_relu", as in `torch.nn`.
        readout: what the linear layer reads: "last", the last output; "mean", the mean over time.

    Raises:
        ValueError: there is no such net.
    """

    cell: str
    inputs: int
    hidden: int
    layers: int
    outputs: int
    readout: str = "last"

    def __post_init__(self) -> None:
        _one_of("cell", self.cell, CELLS)
        _one_of("readout", self.readout, READOUTS)
        for name in ("inputs", "hidden", "layers", "outputs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more: {getattr(self, name)}")

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the weights in torch's order: w_ih, w_hh, b_ih, b_hh of each layer; the head's
        weight and bias."""
        rows = {"lstm": 4, "gru": 3}.get(self.cell, 1) * self.hidden
        shapes: list[tuple[int, ...]] = []
        for layer in range(self.layers):
            size = self.hidden if layer else self.inputs
            shapes += [(rows, size), (rows, self.hidden), (rows,), (rows,)]
        return [*shapes, (self.outputs, self.hidden), (self.outputs,)]


@dataclass(frozen=True)
class Rule:
    """How a gradient becomes an update.

    Attributes:
        name: "adam", "adamw", "sgd" or "rmsprop", as in `torch.optim`.
        settings: by torch's names: `eps`, `momentum`, `nesterov`, `dampening`, `alpha`, `centered`;
            `betas` are `beta1` and `beta2`. A setting that is left out is 0 or false.
        clip_norm: largest Euclidean norm of the gradient over all weights; inf never clips.

    Raises:
        ValueError: there is no such rule, or it does not have such a setting.
    """

    name: str
    settings: Mapping[str, float | bool] = field(default_factory=dict)
    clip_norm: float = float("inf")

    def __post_init__(self) -> None:
        _one_of("rule", self.name, RULES)
        for key in self.settings:
            _one_of(f"a setting of {self.name}", key, sorted(_SETTINGS[self.name]))

    def get(self, key: str) -> float:
        """A setting as a number."""
        return float(self.settings.get(key, 0.0))

    @property
    def state_names(self) -> tuple[str, ...]:
        """What the rule remembers of each weight, by torch's names."""
        if self.name in ("adam", "adamw"):
            return ("exp_avg", "exp_avg_sq")
        if self.name == "sgd":
            return ("momentum_buffer",) * bool(self.get("momentum"))
        names = ["square_avg"]
        names += ["momentum_buffer"] * bool(self.get("momentum"))
        names += ["grad_avg"] * bool(self.get("centered"))
        return tuple(names)


@dataclass(frozen=True, eq=False)
class Source:
    """Sequences in memory, which batches are gathered from: x = shift + scale * data.

    Attributes:
        data: uint8 or float32 on the CPU, [N, T, D], in any strides.
        rows: [n], where the examples are in `data`; None if they are all of it, in its order.

    Raises:
        ValueError: the data have another type or shape.
    """

    data: "Tensor"
    scale: float = 1.0
    shift: float = 0.0
    rows: "Tensor | None" = None

    def __post_init__(self) -> None:
        data, rows = self.data, self.rows
        is_known = str(data.dtype) in ("torch.uint8", "torch.float32")
        if not is_known or data.dim() != 3 or data.device.type != "cpu":
            raise ValueError(
                f"data must be uint8 or float32 [N, T, D] on the CPU: {data.dtype} "
                f"{list(data.shape)} on {data.device}"
            )
        if rows is None:
            return
        is_fit = str(rows.dtype) == "torch.int64" and rows.device.type == "cpu"
        if not is_fit or rows.dim() != 1 or not rows.is_contiguous():
            raise ValueError(
                f"rows must be int64 [n] and contiguous, on the CPU: {rows.dtype} "
                f"{list(rows.shape)} on {rows.device}"
            )


def _one_of(what: str, value: str, known: tuple[str, ...] | list[str]) -> None:
    if value not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}: {value}")
