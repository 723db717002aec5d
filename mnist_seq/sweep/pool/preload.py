"""Imported by the fork server before it forks a job: everything that every job would import.

Objects made here are frozen out of the garbage collector, so that the jobs go on sharing their
memory.
"""

import gc
import importlib
import os

from mnist_seq.sweep.pool.worker import WARM_DATA
from mnist_seq.training.preload import preload

_MODULES = (
    "hydra._internal.callbacks",
    "hydra._internal.logging_config",
    "hydra.core.utils",
    "logging.config",
    "mnist_seq.config.parse",
    "mnist_seq.sweep.stack.worker",
    "mnist_seq.tracking",
)

for _name in _MODULES:
    importlib.import_module(_name)
preload(os.environ.get(WARM_DATA, ""))
gc.collect()
gc.freeze()
