"""Imports, in the fork server, everything that every job needs, before jobs are forked.

The fork server leaves the session of the command, and keeps the stop signals blocked, so that a
signal to the group of the command (a closed terminal, `timeout`) reaches neither it nor its jobs.

The objects are then hidden from the garbage collector (`gc.freeze`), so that the jobs continue to
share their memory.
"""

import gc
import importlib
import os
import signal

from mnist_seq.sweep.pool.worker import WARM_DATA
from mnist_seq.system import STOP_SIGNALS
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

signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
os.setsid()
for _name in _MODULES:
    importlib.import_module(_name)
preload(os.environ.get(WARM_DATA, ""))
gc.collect()
gc.freeze()
