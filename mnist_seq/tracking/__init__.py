"""The W&B mirror of a run: it reads what the run's folder says, and never hurts the run."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_seq.tracking.wandb.mirror import leave_to_the_sweep, open_tracker
    from mnist_seq.tracking.wandb.sweep import mirrored

__all__ = ["leave_to_the_sweep", "mirrored", "open_tracker"]

_MODULES = {"leave_to_the_sweep": "mirror", "open_tracker": "mirror", "mirrored": "sweep"}


def __getattr__(name: str) -> Any:
    """Load on first use: the mirror's own process needs no config, and starts sooner."""
    if name not in _MODULES:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"mnist_seq.tracking.wandb.{_MODULES[name]}"), name)
