"""Commands of ours on a Python that lacks what another system lacks: see `without/`."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_seq.system import START_VARIABLE
from tests.conftest import ROOT, clean_env

WITHOUT = Path(__file__).parent / "without"
SMALL = ("data=mnist_5k", "data.limit=200", "model.hidden=4", "tracker=none")

Run = Callable[..., str]


def environment(features: str) -> dict[str, str]:
    """The environment of a command on a system without some features."""
    places = os.pathsep.join([str(WITHOUT), str(ROOT)])
    start = {START_VARIABLE: "spawn"} if features else {}
    # others than us open files so; `without_encoding` makes it an error of ours
    quiet = {"PYTHONWARNDEFAULTENCODING": "1", "PYTHONWARNINGS": "error,ignore::EncodingWarning"}
    return {**clean_env(), **start, **quiet, "PYTHONPATH": places, "WITHOUT": features}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command on a system without some features; its output. It must end without an error."""

    def run(features: str, command: str, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", f"mnist_seq.{command}", *words],
            cwd=tmp_path,
            env=environment(features),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    return run
