"""torch's optimizers, fused where torch has a fused kernel."""

import functools
import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Optimizer

# torch.optim.Adagrad has its fused kernel for the CPU alone (torch 2.13)
_FUSED = {"cpu": {"adam", "adamw", "sgd", "adagrad"}, "cuda": {"adam", "adamw", "sgd"}}


def build_optimizer(
    optimizer: Optimizer,
    params: Iterable[nn.Parameter],
    device: torch.device,
    *,
    is_capturable: bool = False,
) -> torch.optim.Optimizer:
    """The optimizer of `torch.optim` whose name is `optimizer.name`, in any case of letters.

    Args:
        is_capturable: whether its step is to be part of a CUDA graph, on a device that knows such.

    Raises:
        ConfigError: torch has none of that name, or it takes other keys.
    """
    classes = {
        name.lower(): cls
        for name, cls in vars(torch.optim).items()
        if inspect.isclass(cls) and issubclass(cls, torch.optim.Optimizer)
    }
    if optimizer.name not in classes:
        raise ConfigError(
            f"optimizer.name must be an optimizer of torch.optim: {optimizer.name}; "
            f"torch {torch.__version__} has {', '.join(sorted(classes))}"
        )
    options = optimizer.model_dump(exclude={"name"})
    if optimizer.name in _FUSED.get(device.type, ()):
        options["fused"] = True
    built_class = classes[optimizer.name]
    if is_capturable and device.type == "cuda":
        has_option = "capturable" in inspect.signature(built_class).parameters
        options |= {"capturable": True} if has_option else {}
    _leave_compiler_out()
    try:
        built = built_class(params, **options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"optimizer={optimizer.name} refused its keys: {error}") from error
    # The function under torch's wrappers, which import the compiler too, and cost a tenth of a
    # millisecond a step; they serve compiled, profiled and hooked steps, of which there are none
    bare_step = torch.no_grad()(functools.partial(inspect.unwrap(type(built).step), built))
    built.step = bare_step  # type: ignore[method-assign]
    # torch warns of a step outside of a graph, and some must come before the capture
    built._warned_capturable_if_run_uncaptured = True
    return built


def load_state(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Let an optimizer go on from a state dict, which another kind of device may have written.

    What the device decides, `fused` and `capturable`, stays as it was built. torch counts steps on
    the CPU where neither is set, and moves the count to the device where one is.

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
    """Keep torch from importing its compiler when the first optimizer is made: 1.3 s for nothing.

    These methods are wrapped so that the first call asks `torch._dynamo` for a function to call in
    their stead, and keeps the answer in this attribute. Where torch does it in another way, this
    does nothing, and the first optimizer is as slow as torch makes it.
    """
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        plain = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if plain is not None and not hasattr(plain, "__dynamo_disable"):
            plain.__dynamo_disable = plain
