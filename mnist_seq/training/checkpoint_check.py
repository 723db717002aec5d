"""Compares what a checkpoint brings with what the run has built, before any kernel sees it.

torch's kernels believe the shapes that they are told: an average of another shape than its weight
makes them write outside of their memory. So each entry is compared by name, type, shape and layout.
All functions raise ValueError, which names the entry. `checkpoint.errors_named` adds the file.
"""

import math
import reprlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mnist_seq.config.schema import Optimizer
from mnist_seq.models import Classifier
from mnist_seq.training.loop.learner import Learner
from mnist_seq.training.optimizers import build_optimizer, groups_of

# Above this count, adding 1 to a float32 changes nothing, and optimizers count steps in float32
_LAST_COUNT = 2**24
# In the state of the CPU's generator (a Mersenne twister), `left` and `next` say which of its 624
# numbers comes next. torch checks each, and not their sum, by which it would read past the last one
_MOST_COPIES, _BESIDE = 8, 2**26  # optimizers keep up to four; names, counts, random states
_LEFT, _NEXT, _NEXT_END, _MOST = 8, 16, 24, 625


def checked(
    saved: Mapping[str, Any], learner: Learner, kinds: Mapping[str, type]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The state of the loop and that of the optimizer, after a check of all parts.

    Args:
        kinds: type of each entry of the loop's state.
    """
    config, model = learner.config, learner.model
    loop = dict(saved["loop"])
    if "best_accuracy" in loop:  # its name in version 0.1.0
        loop["best_value"] = loop.pop("best_accuracy")
    check_loop(loop, kinds, num_steps=learner.num_steps, batch_size=config.training.batch_size)
    check_weights(saved["model"], model)
    if (config.training.ema != "none") != ("average" in saved):
        raise ValueError("average must be there where training.ema asks for one, and only there")
    if "average" in saved:
        check_weights(saved["average"], model)
    check_random(saved["random"], learner.generator)
    # one that began with the state of another run has counted its steps too
    step = None if config.training.init_optimizer else loop["step"]
    return loop, checked_optimizer(saved["optimizer"], config.optimizer, model, step=step)


def most_bytes(model: nn.Module) -> int:
    """The largest size of a file with a model's weights and what an optimizer keeps of them."""
    num = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    return int(_MOST_COPIES * num) + _BESIDE


def check_parts(saved: object) -> None:
    """The parts of a checkpoint, each a dict."""
    parts = _dict("the checkpoint", saved)
    needed = ("model", "optimizer", "random", "loop")
    _check_names("the checkpoint", parts, (*needed, *(("average",) if "average" in parts else ())))
    for name, part in parts.items():
        _dict(name, part)


def check_weights(found: object, model: nn.Module) -> None:
    """The weights of a model, by name, type, shape and layout."""
    own = model.state_dict()
    weights = _dict("model", found)
    _check_names("model", weights, own)
    for name, like in own.items():
        _check_tensor(f"model[{name}]", weights[name], like, like.device)


def check_random(found: object, generator: torch.Generator) -> None:
    """The state of one generator, by the kind of its device, which may be another one here."""
    states = _dict("random", found)
    if len(states) != 1 or not isinstance(next(iter(states)), str):
        raise ValueError(f"random must hold one generator's state: {reprlib.repr(list(states))}")
    for kind, state in states.items():
        torch.device(kind)  # refuses a kind that torch does not know
        if kind != generator.device.type:
            continue  # this run draws from its seed
        _check_tensor(f"random[{kind}]", state, generator.get_state(), generator.device)
        if kind == "cpu":
            content = state.cpu().contiguous().numpy()
            left = int(content[_LEFT : _LEFT + 4].view("<i4")[0])
            position = int(content[_NEXT:_NEXT_END].view("<u8")[0])
            if not 0 < left <= _MOST or left + position > _MOST:
                raise ValueError(f"random[{kind}] must be a generator's state: its position is not")


def check_loop(
    found: object, kinds: Mapping[str, type], *, num_steps: int, batch_size: int
) -> None:
    """The state of the loop: each value of its type, and at a place within the run.

    Args:
        kinds: type of each entry.
        num_steps: steps of the whole run.
    """
    loop = _dict("loop", found)
    _check_names("loop", loop, kinds)
    for name, kind in kinds.items():
        if type(loop[name]) is not kind:
            raise ValueError(f"loop[{name}] must be {kind.__name__}: {reprlib.repr(loop[name])}")
    step, evaluations = loop["step"], loop["evaluations"]
    for name, first, last in (
        ("step", 1, num_steps),
        ("loss_count", 0, step * batch_size),
        ("evaluations", 0, step),
        ("evaluations_since_best", 0, evaluations),
        ("best_step", 0, step),
    ):
        if not first <= loop[name] <= last:
            value = reprlib.repr(loop[name])
            raise ValueError(f"loop[{name}] must be {first} to {last} in this run: {value}")
    if not 0 <= loop["seconds"] < math.inf:
        raise ValueError(f"loop[seconds] must be 0 or more: {loop['seconds']}")


def checked_optimizer(
    found: object, settings: Optimizer, model: Classifier, *, step: int | None
) -> dict[str, Any]:
    """The state of a run's optimizer after some steps, alone or in a stack.

    It is compared with that of a new optimizer after one step on weights of the same shapes.

    Args:
        step: updates done; None where the state counts others too.

    Returns:
        The state in memory of its own: two entries of a file may be one tensor.
    """
    device = next(model.parameters()).device
    like = _reference(settings, model)
    saved = _dict("optimizer", found)
    _check_names("optimizer", saved, like)
    _check_groups(saved["param_groups"], like["param_groups"])
    state = _dict("optimizer.state", saved["state"])
    params = [i for group in like["param_groups"] for i in group["params"]]
    if unknown := [i for i in state if type(i) is not int or i not in params]:
        raise ValueError(f"optimizer.state holds what no weight has: {reprlib.repr(unknown)}")
    own: dict[int, dict[str, Any]] = {}
    for i in params:
        place, wanted = f"optimizer.state[{i}]", like["state"].get(i, {})
        values = _dict(place, state.get(i, {}))
        _check_names(place, values, wanted)
        for name in wanted:
            _check_state(f"{place}[{name}]", values[name], wanted[name], device)
            if name == "step" and float(wanted[name]) == 1:
                _check_count(f"{place}[{name}]", float(values[name]), step)
        if i in state:
            own[i] = {name: _own(value) for name, value in values.items()}
    return {"state": own, "param_groups": saved["param_groups"]}


def _reference(settings: Optimizer, model: Classifier) -> dict[str, Any]:
    """The state dict of an optimizer that has taken one step, on the CPU."""
    weights = {
        name: nn.Parameter(torch.zeros(weight.shape, dtype=weight.dtype))
        for name, weight in model.named_parameters()
    }
    groups, cpu = groups_of(settings, model), torch.device("cpu")
    optimizer = build_optimizer(settings, groups, weights, cpu)
    for weight in weights.values():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    return optimizer.state_dict()


def _check_groups(found: object, like: list[dict[str, Any]]) -> None:
    """The groups' weights. Their other values are those of the config, whatever the file says."""
    if type(found) is not list or len(found) != len(like):
        size = len(found) if isinstance(found, list) else type(found).__name__
        raise ValueError(f"optimizer.param_groups must be a list of {len(like)} groups: {size}")
    for i, (group, wanted) in enumerate(zip(found, like, strict=True)):
        params = _dict(f"optimizer.param_groups[{i}]", group).get("params")
        if type(params) is not list or params != wanted["params"]:
            raise ValueError(
                f"optimizer.param_groups[{i}][params] must be {wanted['params']}: "
                f"{reprlib.repr(params)}"
            )


def _check_state(name: str, found: object, like: object, device: torch.device) -> None:
    if isinstance(like, Tensor):
        # torch counts steps on the CPU or on the device
        _check_tensor(name, found, like, None if name.endswith("[step]") else device)
    elif type(found) is not type(like):
        raise ValueError(f"{name} must be {type(like).__name__}: {type(found).__name__}")
    elif isinstance(found, int | float) and not abs(found) < 2**53:
        raise ValueError(f"{name} must be a finite number: {reprlib.repr(found)}")


def _check_count(name: str, found: float, step: int | None) -> None:
    if step is None:
        if not 1 <= found <= _LAST_COUNT or found != int(found):
            raise ValueError(f"{name} must be a number of steps: {found}")
    elif found != min(step, _LAST_COUNT):
        raise ValueError(f"{name} must be {step}, as the run's step: {found}")


def _check_tensor(name: str, found: object, like: Tensor, device: torch.device | None) -> None:
    """A tensor that fills its memory once, in any order of its axes.

    Args:
        device: whose kind it must have; None for any that has memory.
    """
    if type(found) not in (Tensor, nn.Parameter):
        raise ValueError(f"{name} must be a tensor: {type(found).__name__}")
    assert isinstance(found, Tensor)
    is_plain = not (found.is_nested or found.is_quantized) and found.layout == torch.strided
    if not is_plain or found.is_neg() or found.is_meta:
        raise ValueError(f"{name} must be a dense tensor: {found.layout}")
    if found.dtype != like.dtype or found.shape != like.shape:
        raise ValueError(f"{name} must be {_described(like)}: {_described(found)}")
    if not _is_dense(found):
        raise ValueError(f"{name} must be dense: its strides are {found.stride()}")
    if device is not None and found.device.type != device.type:
        raise ValueError(f"{name} must be on {device.type}: {found.device.type}")


def _is_dense(tensor: Tensor) -> bool:
    """Whether its elements are all different, and adjacent in memory."""
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1:
            if stride != expected:
                return False
            expected *= size
    return True


def _described(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _own(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _dict(name: str, found: object) -> dict[Any, Any]:
    if not isinstance(found, dict):
        raise ValueError(f"{name} must be a dict: {type(found).__name__}")
    return found


def _check_names(name: str, found: Mapping[Any, Any], wanted: Any) -> None:
    if missing := [key for key in wanted if key not in found]:
        raise ValueError(f"{name} lacks {missing[0]}")
    if unknown := [key for key in found if key not in wanted]:
        raise ValueError(f"{name} has an unknown entry: {reprlib.repr(unknown[0])}")
