"""Imported by the fork server before it forks a job: everything that every job would import.

Objects made here are frozen out of the garbage collector, so that the jobs go on sharing their memory.
"""

import gc
import importlib

_MODULES = (
    "torch",
    "torch._dynamo",  # imported by the first optimizer that is made; takes a second
    "hydra._internal.callbacks",
    "hydra.core.utils",
    "mnist_seq.job",
    "mnist_seq.config.parse",
    "mnist_seq.training.run",
    "mnist_seq.training.progress",
    "mnist_seq.models.cells.lstm",
    "mnist_seq.tracking",
    "rich.console",
    "rich.progress",
    "numpy",
    "logging.config",
)

for _name in _MODULES:
    importlib.import_module(_name)
gc.collect()
gc.freeze()
