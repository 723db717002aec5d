"""Real trouble for chosen runs: in the worker's process, in the middle of training.

Hydra loads it as a callback, `+hydra.callbacks.trouble={_target_: tests.sweep.trouble.Trouble}`.
Which runs it visits, and how, stands in `trouble.json` in the current folder: remove the file, and
the same command meets no trouble.
"""

import ctypes
import json
import os
import resource
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from hydra.experimental.callback import Callback

from mnist_seq.runs.folder import RunFolder

FILE = Path("trouble.json")  # {"<run>": "<kind>"}
LITTLE_BYTES = 300 << 20
CALLBACK = "+hydra.callbacks.trouble._target_=tests.sweep.trouble.Trouble"


class Trouble(Callback):
    """Lets chosen runs meet their trouble whenever they have written an evaluation.

    It comes from the run's own code: what a listener raises costs a warning, and no run.
    """

    def on_job_start(self, config: Any, **_: Any) -> None:
        if not FILE.exists():
            return
        name = config.hydra.sweep.subdir
        kind = json.loads(FILE.read_text()).get(name)
        if kind == "little memory":
            limit_memory(LITTLE_BYTES)
        elif kind:
            append = RunFolder.append_metrics

            def append_and_act(folder: RunFolder, row: dict[str, Any]) -> None:
                append(folder, row)
                if folder.path.name == name:
                    act(kind)

            RunFolder.append_metrics = append_and_act  # type: ignore[method-assign]


def limit_memory(num_bytes: int) -> None:
    """Let this process take so much more than it has now, once."""
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + num_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def act(kind: str) -> None:
    """Do what goes wrong in the field."""
    match kind:
        case "raise":
            raise RuntimeError("the job's own fault")
        case "exit":
            os._exit(1)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "allocate":
            # What a container or a batch system sets for the whole job
            resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
            hoard = []
            while True:
                hoard.append(np.zeros(256 << 20, dtype=np.uint8))
        case "linger":  # deaf to a polite request
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            Path(f"lingering.{os.getpid()}").touch()
            time.sleep(600)
        case "slow":
            time.sleep(1.0)
        case "leak":
            leak()


def leak() -> None:
    """Leave behind what a job can leave behind in a process."""
    import torch

    torch.manual_seed(int(time.time_ns() % 2**31))
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    os.environ["MNIST_SEQ_LEAKED"] = "1"
