"""Jobs for a pool that train nothing: each does what its kind says."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from mnist_seq.runs.folder import RunFolder

_kinds: dict[str, str] = {}


def adopt(shared: dict[str, str]) -> None:
    """Take over what each job is to do."""
    _kinds.update(shared)


def run(cfg: Any) -> None:
    """Do one job."""
    folder = RunFolder(Path(HydraConfig.get().runtime.output_dir))
    folder.update_record(name=folder.path.name)
    num_tries = len(list(folder.path.glob("try.*")))
    (folder.path / f"try.{num_tries}").touch()
    match _kinds[folder.path.name]:
        case "fail":
            raise ValueError(f"no luck with {folder.path.name} at try {num_tries}")
        case "fail twice" if num_tries < 2:
            raise ValueError("no luck yet")
        case "fail otherwise":
            raise KeyError(chr(97 + os.getpid() % 26) * (os.getpid() % 1000))
        case "linger":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            child = subprocess.Popen(["sleep", "600"])
            (folder.path / "child").write_text(str(child.pid))
            time.sleep(600)
        case "sleep":
            time.sleep(0.5)
        case "damage":
            folder.result_path.write_text('{"state": "fin')
            return
        case "environment":
            names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
            folder.update_record(**{name: os.environ.get(name, "") for name in names})
    folder.write_result(state="finished", metrics={"test/accuracy": 0.5})
