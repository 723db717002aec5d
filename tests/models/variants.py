"""Every cell of the group, and every option that changes a step."""

from typing import Any

import torch
from torch import Tensor, nn

from mnist_seq.config.paths import options
from mnist_seq.config.reference import default_model
from mnist_seq.config.schema import Model
from mnist_seq.models.cells import Shape, build_cell

CELLS: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in options("model")}

SCANNED: dict[str, dict[str, Any]] = {
    "NIG": {"input_gate": False},
    "NFG": {"forget_gate": False},
    "NOG": {"output_gate": False},
    "NIAF": {"input_activation": False},
    "NOAF": {"output_activation": False},
    "CIFG": {"cifg": True},
    "peepholes": {"peepholes": True},
    "CIFG with peepholes": {"cifg": True, "peepholes": True},
    "NOG with peepholes": {"output_gate": False, "peepholes": True},
    "NIG NOAF": {"input_gate": False, "output_activation": False},
    "NOG NOAF": {"output_gate": False, "output_activation": False},
    "NIG NFG": {"input_gate": False, "forget_gate": False},
    "no gate at all": {"input_gate": False, "forget_gate": False, "output_gate": False},
}
LSTMS = SCANNED | {
    "FGR": {"full_gate_recurrence": True},
    "FGR with peepholes": {"full_gate_recurrence": True, "peepholes": True},
    "layer norm": {"layer_norm": True},
    "layer norm, CIFG": {"layer_norm": True, "cifg": True},
    "Gal": {"gal_dropout": 0.3},
    "Semeniuta": {"semeniuta_dropout": 0.3},
    "zoneout": {"zoneout_cell": 0.2, "zoneout_hidden": 0.1},
    "all of them": {
        "layer_norm": True,
        "full_gate_recurrence": True,
        "peepholes": True,
        "gal_dropout": 0.3,
        "semeniuta_dropout": 0.3,
        "zoneout_cell": 0.2,
        "zoneout_hidden": 0.1,
    },
}
GRUS: dict[str, dict[str, Any]] = {
    "reset before": {"reset": "before"},
    "no reset": {"reset": "none"},
    "no update": {"update_gate": False},
    "no gates": {"reset": "none", "update_gate": False},
}
MODERN: dict[str, tuple[str, dict[str, Any]]] = {
    "mingru, positive": ("mingru", {"candidate": "positive", "forget_bias": "chrono"}),
    "minlstm, positive": ("minlstm", {"candidate": "positive", "forget_bias": 3}),
    "lru, S5": ("lru", {"form": "s5", "states": 4, "blocks": 2}),
    "lru, other size": ("lru", {"states": 2}),
    "slstm, no norm": ("slstm", {"head_norm": False}),
    "slstm, LSTM": ("slstm", {"head_norm": False, "exponential": False, "normaliser": False}),
    "mlstm, no norm": ("mlstm", {"head_norm": False}),
    "gated_delta, other": ("gated_delta", {"conv_width": 1, "gated": False, "negative": True}),
    "mamba, other": ("mamba", {"conv_width": 1, "expand": 1, "states": 2}),
    "ssd, retention": ("ssd", {"decay": "fixed", "conv_width": 2, "states": 2}),
    "transformer, other": ("transformer", {"positions": "none", "heads": 3}),
    "hgrn, other": ("hgrn", {"lower_bound": 0.5, "forget_bias": "chrono"}),
    "lmu, other": ("lmu", {"order": 3, "theta": 4}),
    "rglru, plain": ("rglru", {"heads": 1, "input_gate": False, "normalise": False}),
}
SMALL = Shape(5, 2)
EVERY = (
    CELLS
    | {f"lstm, {name}": ("lstm", changes) for name, changes in LSTMS.items()}
    | {f"gru, {name}": ("gru", changes) for name, changes in GRUS.items()}
    | MODERN
)
WHOLE = ("transformer", "tcn")  # layers without a step
RECURRENT = [variant for variant, (name, _) in EVERY.items() if name not in WHOLE]


def small_model(name: str, *, hidden: int, **changes: Any) -> Model:
    """Settings of a cell, with one head where the size is no multiple of the cell's own number."""
    heads = {"heads": 1} if hidden % default_model(name).hidden_multiple() else {}
    return default_model(name, hidden=hidden, **heads | changes)


def built(
    name: str, *, hidden: int = 3, shape: Shape = SMALL, seed: int = 0, **changes: Any
) -> nn.Module:
    """Freshly initialised recurrent layers in float64, in evaluation mode."""
    torch.manual_seed(seed)
    layers = build_cell(shape, small_model(name, hidden=hidden, **changes))
    return layers.double().eval()


def sequence(shape: Shape = SMALL, batch: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(
        shape.time_steps, batch, shape.input_size, dtype=torch.float64, generator=generator
    )


def plain_gradients(layers: nn.Module, x: Tensor) -> list[Tensor]:
    """Outputs, last state, and the gradient of some function of both by every weight and by x."""
    x = x.clone().requires_grad_()
    outputs, state = layers(x)
    last = outputs[-1] if state == () else state[0] if isinstance(state, tuple) else state
    weight = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    loss = (outputs * weight).sum() + last.square().sum()
    return [outputs, last, *torch.autograd.grad(loss, [*layers.parameters(), x])]
