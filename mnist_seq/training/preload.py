"""Imports everything that every run would import, for a process that others are forked from."""

import contextlib
import importlib

from mnist_seq.runs import provenance
from mnist_seq.tasks import task_class

_MODULES = (
    "torch",
    "torch.utils.serialization.config",
    "numpy",
    "rich.console",
    "rich.progress",
    "filelock",
    "mnist_seq.models.cells.lstm",
    "mnist_seq.training.launch",
    "mnist_seq.training.preflight.prepare",
)


def preload(data: str) -> None:
    """Import torch and all of training, and do what the task would do in each run.

    Args:
        data: name of the data set, or "".
    """
    for _name in _MODULES:
        importlib.import_module(_name)
    # Found out once for all runs: it runs git, and must name the code that was imported here
    provenance.remember()
    with contextlib.suppress(ValueError):  # an unknown name, which the plan refuses
        task_class(data).preload()
