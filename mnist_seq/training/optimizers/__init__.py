"""Optimizers: how parameter groups are updated.

`optimizer=<name>` is `conf/optimizer/<name>.yaml`, and the class is
- the subclass of `torch.optim.Optimizer` in `mnist_seq/training/optimizers/<name>.py` that is
  called as the file is (`lion.py` has `Lion`, `my_own.py` has `MyOwn`), where there is such a file;
- else the class of `torch.optim` with that name, in any case of letters: the YAML is enough then.

Life cycle and contract:
1. Before a run has a folder, `preflight.optimizer` builds the class on small weights and takes a
   few steps. `TypeError`, `ValueError` and `RuntimeError` refuse the run, in one line.
2. The class is built as those of torch are: `Class(groups, **keys of the YAML)`. A group is a dict
   with `params`, and with `lr` and `weight_decay` where the model's `parameter_groups()` ask for
   it. The constructor raises ValueError for a value that it cannot take. It gets `fused=True`
   where it has this argument and torch has such a kernel, and `capturable=True` on CUDA where it
   has this argument.
3. Before each step, the loop writes the learning rate into the `lr` of each group: a float, or a
   tensor where the step is a CUDA graph. A step is a CUDA graph if `defaults["capturable"]` is
   true: then it asks the device for no value, and changes no tensor's place in memory.
4. `step()` runs without autograd and gets no closure.
5. `state_dict()` and `load_state_dict()` are torch's: tensors and plain values, so that a
   checkpoint loads with `weights_only=True`. The scalar `step` may be on the CPU or on the device.
   The state has its entries and their shapes after the first step: `training.checkpoint_check`
   compares a checkpoint with them.

A stack trains R runs by one optimizer, at the learning rate 1 on zeros [R, P] (see
`batched.stacked_optimizer`). It can do so where a weight's update is the learning rate times a
direction that depends on this weight's gradients alone. `preflight.optimizer` finds out by trying.
Weight decay is added to the gradient, or is `weights *= 1 - lr * weight_decay` where
`defaults["decoupled_weight_decay"]` is true, as in torch.

An own optimizer that needs more than torch's contract is a subclass of `OwnOptimizer`.
"""

import functools
import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Optimizer
from mnist_seq.models import Classifier, ParameterGroup

Weights = Mapping[str, nn.Parameter]


class OwnOptimizer(torch.optim.Optimizer):
    """What an own optimizer may say of itself beyond torch's contract.

    Attributes:
        stack_problem: why runs with it cannot be trained as a stack, or "" to have it tried.
    """

    stack_problem: ClassVar[str] = ""

    @staticmethod
    def kind_of(name: str, weight: Tensor) -> str:
        """Kind of a weight. Weights of several kinds are in several groups, and each group has
        its kind under the key `kind`. With "" the group has no such key.

        Args:
            name: as in the classifier's `named_parameters()`: `rnn.weight_hh_l0`, `head.bias`.
        """
        return ""


@functools.cache
def class_of(name: str) -> type[torch.optim.Optimizer]:
    """The class of an option: an own file, or the class of `torch.optim` with this name.

    Raises:
        ConfigError: there is none.
    """
    in_torch = _classes(vars(torch.optim))
    if name.isidentifier() and importlib.util.find_spec(f"{__name__}.{name}"):
        module = importlib.import_module(f"mnist_seq.training.optimizers.{name}")
        found = _classes(vars(module)).get(name.replace("_", "").lower())
        if found is None or found.__module__ != module.__name__:
            raise ConfigError(
                f"{module.__name__} must define a torch.optim.Optimizer named as the file: "
                f"optimizer={name}; name the class {name.title().replace('_', '')}"
            )
        return found
    if name not in in_torch:
        raise ConfigError(
            f"optimizer.name must be an optimizer of torch.optim, or a file of {__name__}: "
            f"{name}; torch {torch.__version__} has {', '.join(sorted(in_torch))}"
        )
    return in_torch[name]


def _classes(names: Mapping[str, Any]) -> dict[str, type[torch.optim.Optimizer]]:
    """Optimizer classes by their names in small letters."""
    return {
        name.lower(): value
        for name, value in names.items()
        if inspect.isclass(value)
        and issubclass(value, torch.optim.Optimizer)
        and value is not torch.optim.Optimizer
    }


def groups_of(optimizer: Optimizer, model: Classifier) -> list[ParameterGroup]:
    """A model's parameter groups, divided into the kinds that the optimizer tells apart.

    Frozen weights are in none.
    """
    weights = dict(model.named_parameters())
    trained = [
        replace(group, weights=tuple(name for name in group.weights if weights[name].requires_grad))
        for group in model.parameter_groups()
    ]
    return divide(optimizer, [group for group in trained if group.weights], weights)


def divide(
    optimizer: Optimizer, groups: Sequence[ParameterGroup], weights: Weights
) -> list[ParameterGroup]:
    """Groups of one kind of weight each, where the optimizer tells kinds apart."""
    cls = class_of(optimizer.name)
    if not issubclass(cls, OwnOptimizer):
        return list(groups)
    divided: dict[tuple[str, str], ParameterGroup] = {}
    for group in groups:
        for name in group.weights:
            kind = cls.kind_of(name, weights[name])
            before = divided.get((group.name, kind), replace(group, weights=(), kind=kind))
            divided[group.name, kind] = replace(before, weights=(*before.weights, name))
    return list(divided.values())


def build_optimizer(
    optimizer: Optimizer,
    groups: Sequence[ParameterGroup],
    weights: Weights,
    device: torch.device,
    *,
    is_capturable: bool = False,
) -> torch.optim.Optimizer:
    """An optimizer of some weights, in its first state.

    Args:
        groups: each is a group of the optimizer, in this order.
        weights: those that the groups name.
        is_capturable: whether the step is to be a CUDA graph where the device is CUDA.

    Raises:
        ConfigError: there is no such optimizer, or it refuses its keys.
    """
    cls = class_of(optimizer.name)
    options = options_of(optimizer)
    taken = inspect.signature(cls).parameters
    if "fused" in taken and _has_fused_kernel(optimizer.name, device.type):
        options["fused"] = True
    if is_capturable and device.type == "cuda" and "capturable" in taken:
        options["capturable"] = True
    _leave_compiler_out()
    try:
        built = cls([_torch_group(group, weights, options) for group in groups], **options)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"optimizer={optimizer.name} refuses its keys: {reason}") from error
    built.step = bare_step(built)  # type: ignore[method-assign, assignment]
    # torch warns of a step outside of a graph, and some must come before the capture
    built._warned_capturable_if_run_uncaptured = True
    return built


def options_of(optimizer: Optimizer) -> dict[str, Any]:
    """The keys of the YAML, as the optimizer's class takes them.

    Raises:
        ConfigError: it does not take one of them.
    """
    cls = class_of(optimizer.name)
    options: dict[str, Any] = optimizer.model_dump(exclude={"name"})
    taken = inspect.signature(cls).parameters
    if "weight_decay" not in taken and options["weight_decay"] == 0:
        del options["weight_decay"]  # every option has this key; torch's Rprop, say, does not
    for key, value in options.items():
        if key not in taken:
            keys = [name for name in taken if name in options or name not in _NOT_OF_A_YAML]
            raise ConfigError(
                f"optimizer={optimizer.name} does not take the key {key}: optimizer.{key}={value}; "
                f"{cls.__module__}.{cls.__name__} takes {', '.join(keys)}"
            )
    return options


# Arguments of torch's optimizers that say how to compute, or that change the sign of the loss
_NOT_OF_A_YAML = ("params", "foreach", "maximize", "capturable", "differentiable", "fused")


def _torch_group(
    group: ParameterGroup, weights: Weights, options: Mapping[str, Any]
) -> dict[str, Any]:
    """A group as torch's optimizers take it, with the keys in which it is unlike the others."""
    found: dict[str, Any] = {"params": [weights[name] for name in group.weights]}
    if group.lr_factor != 1.0:
        found["lr"] = options["lr"] * group.lr_factor
    if not group.is_decayed and "weight_decay" in options:
        found["weight_decay"] = 0.0
    return {**found, "kind": group.kind} if group.kind else found


def bare_step(optimizer: torch.optim.Optimizer) -> Callable[[], object]:
    """The step of an optimizer without torch's wrappers.

    They serve compiled, profiled and hooked steps, of which there are none here. They import
    torch's compiler, and cost a tenth of a millisecond a step.
    """
    plain = inspect.unwrap(type(optimizer).step)
    return torch.no_grad()(functools.partial(plain, optimizer))


@functools.cache
def _has_fused_kernel(name: str, device_type: str) -> bool:
    """Whether torch has a fused kernel for a kind of device. torch says so only by a step that
    fails: Adagrad has one for the CPU alone (torch 2.13)."""
    if device_type not in ("cpu", "cuda"):
        return False
    weight = nn.Parameter(torch.zeros(1, device=device_type))
    weight.grad = torch.zeros_like(weight)
    _leave_compiler_out()
    try:
        bare_step(class_of(name)([weight], lr=0.1, fused=True))()  # type: ignore[call-arg]
    except (TypeError, ValueError, RuntimeError):
        return False
    return True


def load_state(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Let an optimizer go on from a state dict, which another kind of device may have written.

    `fused` and `capturable` stay as the optimizer was built, since the device decides them. torch
    counts steps on the CPU where neither is set, and moves the count to the device otherwise.

    Raises:
        ValueError: the state is that of other parameters.
    """
    own = optimizer.state_dict()["param_groups"]
    groups = [
        {**mine, "params": group["params"]}
        for mine, group in zip(own, saved["param_groups"], strict=True)
    ]
    state = {
        i: {k: v.cpu() if k == "step" and isinstance(v, Tensor) else v for k, v in values.items()}
        for i, values in saved["state"].items()
    }
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _leave_compiler_out() -> None:
    """Keep torch from importing its compiler when the first optimizer is made, which takes 1.3 s.

    torch wraps these methods: the first call asks `torch._dynamo` for the function to call, and
    keeps the answer in this attribute. Where a version of torch does this in another way, nothing
    happens here, and the first optimizer is as slow as torch makes it.
    """
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        plain = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if plain is not None and not hasattr(plain, "__dynamo_disable"):
            plain.__dynamo_disable = plain
