"""Sweeps of recurrent sequence models on MNIST, each compared with the LSTM baseline."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_seq.report.frame import load_sweep

__version__ = "0.1.0"

__all__ = ["__version__", "load_sweep"]


def __getattr__(name: str) -> Any:
    if name == "load_sweep":  # pandas, which only notebooks need, is imported with it
        from mnist_seq.report.frame import load_sweep

        return load_sweep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
