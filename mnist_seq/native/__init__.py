"""A training step of small recurrent nets on a CPU, compiled on the machine where it runs.

    library = native.library()     # compiled at first use; raises Unavailable
    net = native.Net(library, layout, rule, weights, lr_factors, weight_decays)
    net.step(source, order, targets, rate)

torch's tensors hold weights and optimizer state; the step changes them in place. What it computes
is what `mnist_seq.models` and `torch.optim` compute, to rounding.
"""

from typing import TYPE_CHECKING, Any

from mnist_seq.native.build import Unavailable
from mnist_seq.native.check import WORST, library, once
from mnist_seq.native.compiled import Library
from mnist_seq.native.layout import Layout, Rule, Source

if TYPE_CHECKING:
    from mnist_seq.native.net import Net

__all__ = [
    "WORST",
    "Layout",
    "Library",
    "Net",
    "Rule",
    "Source",
    "Unavailable",
    "library",
    "once",
]


def __getattr__(name: str) -> Any:
    """Load `Net` on first use: a plan asks for the library alone, and has no need of torch."""
    if name != "Net":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mnist_seq.native.net import Net

    return Net
