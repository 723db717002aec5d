"""torch's optimizers, fused where torch has a fused kernel."""

import inspect
from collections.abc import Iterable

import torch
from torch import nn

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Optimizer

# torch.optim.Adagrad has its fused kernel for the CPU alone (torch 2.13)
_FUSED = {"cpu": {"adam", "adamw", "sgd", "adagrad"}, "cuda": {"adam", "adamw", "sgd"}}


def build_optimizer(
    optimizer: Optimizer, params: Iterable[nn.Parameter], device: torch.device
) -> torch.optim.Optimizer:
    """The optimizer of `torch.optim` whose name is `optimizer.name`, in any case of letters.

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
    try:
        return classes[optimizer.name](params, **options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"optimizer={optimizer.name} refused its keys: {error}") from error
