"""Checkpoints that are whole files and do not belong to the run: one entry is another one."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Saved = dict[str, Any]
Craft = Callable[[Saved], None]

SHAPES: dict[str, Callable[[Tensor], Any]] = {
    "one number": lambda t: torch.zeros(1),
    "none": lambda t: torch.zeros(0),
    "longer": lambda t: torch.zeros(t.numel() + 1),
    "another order": lambda t: torch.zeros(t.shape[::-1]) if t.dim() > 1 else torch.zeros(1, 1),
    "float64": lambda t: t.double(),
    "complex": lambda t: t.to(torch.complex64),
    "sparse": lambda t: t.to_sparse(),
    "one place in memory": lambda t: torch.zeros(()).expand(t.shape) if t.dim() else t.half(),
    "strided": lambda t: torch.zeros(*t.shape, 2)[..., 0] if t.dim() else t.bool(),
    "a number": lambda t: 1.0,
    "a list": lambda t: [0.0] * 3,
    "no memory": lambda t: torch.zeros(t.shape, device="meta"),
}
ODD = [float("nan"), float("inf"), -1, 10**400, -(2**63), 2**63, "1", None, True, [1], 1.5]
LOOP = ("step", "seconds", "loss_count", "best_step", "evaluations", "evaluations_since_best",
        "is_stopped_early", "best_value", "loss_sum")  # fmt: skip


def _in_state(i: int, name: str, change: Callable[[Tensor], Any]) -> Craft:
    def craft(saved: Saved) -> None:
        values = saved["optimizer"]["state"][i]
        values[name] = change(values[name])

    return craft


def _in_part(part: str, name: Any, change: Callable[[Any], Any]) -> Craft:
    def craft(saved: Saved) -> None:
        saved[part][name] = change(saved[part][name])

    return craft


def _groups(change: Callable[[list[Any]], Any]) -> Craft:
    return _in_part("optimizer", "param_groups", change)


def _first(change: Callable[[dict[str, Any]], Any]) -> Craft:
    def craft(saved: Saved) -> None:
        change(saved["optimizer"]["state"][0])

    return craft


def _position(content: Tensor) -> Tensor:
    """A generator's position past its numbers: torch refuses neither value, only their sum is."""
    content = content.clone()
    content[8:24] = torch.tensor([112, 2, 0, 0, 1, 0, 0, 0, 112, 2, 0, 0, 0, 0, 0, 0])
    return content


def _is_refused(name: str, value: Any) -> bool:
    return not (type(value) is bool and name == "is_stopped_early") and not (
        (type(value) is float and name in ("best_value", "loss_sum", "seconds") and value == 1.5)
        or (type(value) is float and name in ("best_value", "loss_sum"))
    )  # fmt: skip


def crafts(saved: Saved) -> dict[str, Craft]:
    """All ways for a checkpoint, by their names."""
    found: dict[str, Craft] = {}
    for i, values in saved["optimizer"]["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                for how, change in SHAPES.items():
                    found[f"state[{i}][{name}] {how}"] = _in_state(i, name, change)
    state = saved["optimizer"]["state"]
    if state and "step" in state[0]:
        for number in (float("nan"), float("inf"), -1.0, 1e30, 0.5, 10_000.0):
            found[f"state[0][step]={number}"] = _in_state(
                0, "step", lambda t, n=number: torch.full_like(t, n)
            )
    for name in list(saved["model"])[:2]:
        for how, change in SHAPES.items():
            found[f"model[{name}] {how}"] = _in_part("model", name, change)
    for name in LOOP:
        for number, value in enumerate(ODD):
            if _is_refused(name, value):
                found[f"loop[{name}] {number}"] = _in_part("loop", name, lambda _, v=value: v)
    kind = next(iter(saved["random"]))
    for how, change in {
        "short": lambda t: t[:16].clone(),
        "long": lambda t: torch.cat([t, t]),
        "another type": lambda t: t.float(),
        "past its end": _position,
        "text": lambda t: "state",
    }.items():
        found[f"random {how}"] = _in_part("random", kind, change)
    found |= {
        "no part": lambda s: s.pop("random") and None,
        "a part too many": lambda s: s.update(more=1),
        "a part of text": lambda s: s.update(optimizer="adam"),
        "no generator": lambda s: s["random"].clear(),
        "a generator of nobody": lambda s: s.update(random={"nobody": torch.zeros(1)}),
        "no group": _groups(lambda groups: []),
        "a group too many": _groups(lambda groups: groups * 2),
        "groups of text": _groups(lambda groups: "groups"),
        "a group of fewer": _groups(lambda groups: [{**groups[0], "params": [0]}, *groups[1:]]),
        "a weight too many": lambda s: s["model"].update(other=torch.zeros(1)),
        "a weight too few": lambda s: s["model"].popitem() and None,
        "a state too many": lambda s: s["optimizer"]["state"].update({99: {}}),
        "a state by name": lambda s: s["optimizer"]["state"].update({"0": {}}),
    }
    if state and state[0]:
        found |= {
            "a state too few": lambda s: s["optimizer"]["state"].pop(0) and None,
            "no state": lambda s: s["optimizer"]["state"].clear(),
            "an entry too few": _first(lambda values: values.popitem()),
            "an entry too many": _first(lambda values: values.update(other=torch.zeros(1))),
        }
    return found


def crafted(saved: Saved, craft: Craft) -> Saved:
    """A copy of a checkpoint, changed."""
    changed = copy.deepcopy(saved)
    craft(changed)
    return changed
