"""Imported by the fork server before it forks a job: everything that every job would import.

Objects made here are frozen out of the garbage collector, so that the jobs go on sharing their
memory.
"""

import gc
import importlib
import os

from mnist_seq.sweep.pool.worker import WARM_DATA

_MODULES = (
    "torch",
    "torch.utils.serialization.config",
    "hydra._internal.callbacks",
    "hydra._internal.logging_config",
    "hydra.core.utils",
    "mnist_seq.job",
    "mnist_seq.config.parse",
    "mnist_seq.training.run",
    "mnist_seq.training.progress",
    "mnist_seq.models.cells.lstm",
    "mnist_seq.tracking.wandb",
    "mnist_seq.runs.lock",
    "filelock",
    "rich.console",
    "rich.progress",
    "numpy",
    "logging.config",
)

for _name in _MODULES:
    importlib.import_module(_name)
# Found out once for all jobs: it runs git, and must name the code that was imported here
importlib.import_module("mnist_seq.runs.provenance").remember()
importlib.import_module("mnist_seq.training.preflight.find").preload(os.environ.get(WARM_DATA, ""))
gc.collect()
gc.freeze()
