"""Sweeps of recurrent sequence models on MNIST, each compared with the LSTM baseline."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_seq.notebook import build_report, compose, load_run, train_run, use_config_dir
    from mnist_seq.report.read.frame import load_sweep

__version__ = "0.1.0"

__all__ = [
    "__version__", "build_report", "compose", "load_run", "load_sweep", "train_run",
    "use_config_dir",
]  # fmt: skip

_MODULES = dict.fromkeys(
    ("build_report", "compose", "load_run", "train_run", "use_config_dir"), "notebook"
)
_MODULES["load_sweep"] = "report.read.frame"


def __getattr__(name: str) -> Any:
    """Load on first use, because the command line needs neither these names nor pandas."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
