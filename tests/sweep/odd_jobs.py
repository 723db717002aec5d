"""Jobs for a pool that train nothing: each does what its kind says."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from mnist_seq.runs.folder import RunFolder


@dataclass(frozen=True)
class OddWork:
    """A job that leaves a result in its folder, unless its kind says otherwise."""

    kind: str
    path: Path

    def __call__(self) -> None:
        """Do the job; an error is left behind as a run leaves it."""
        folder = RunFolder(self.path)
        try:
            act(self.kind, folder)
        except Exception as error:
            import traceback

            folder.write_error("".join(traceback.format_exception(error)))
            raise

    def in_thread(self, log: TextIO) -> None:
        """Do the job."""
        self()


def act(kind: str, folder: RunFolder) -> None:
    """Do what a kind says."""
    folder.update_record(name=folder.path.name)
    num_tries = len(list(folder.path.glob("try.*")))
    (folder.path / f"try.{num_tries}").touch()
    match kind:
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
    folder.write_result(state="finished", metrics={"test/accuracy": 0.5}, num_params=1, seconds=1.0)
