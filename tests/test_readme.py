"""Every command of the README runs as it stands, in the README's order."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_env

README = (ROOT / "README.md").read_text()
LINES = [
    line.split("  #")[0].strip()
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    if not language
    for line in block.splitlines()
]
COMMANDS = [line for line in LINES if line.startswith("python -m mnist_seq")]
# What installs, .ci/run runs in an environment of its own
INSTALLS = [line for line in LINES if line.startswith("pip install")]


def test_every_line_of_a_code_block_is_checked_somewhere() -> None:
    """A line that nobody runs is a line that will be wrong."""
    known = {*COMMANDS, *INSTALLS}
    assert {line for line in LINES if line} <= known
    assert len(COMMANDS) >= 4


def test_the_install_lines_are_those_that_ci_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    for line in INSTALLS:
        install, _, then = line.partition(" && ")
        extra = re.search(r"'\.\[(\w+)\]'", install)
        assert not extra or f"[{extra[1]}" in script or f",{extra[1]}" in script, line
        assert not then or then == "pytest" or then.startswith("python -m mnist_seq"), line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


AFTER_INSTALL = [line.partition(" && ")[2] for line in INSTALLS]
RUNS = [line for line in AFTER_INSTALL if line.startswith("python")] + COMMANDS


@pytest.mark.parametrize("command", RUNS)
@pytest.mark.slow
def test_a_command_runs_as_it_stands(folder: Path, command: str) -> None:
    """Pasted by a newcomer, on a machine without data, account or terminal."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # an active environment
    env = {**clean_env(), "HOME": str(folder), "PATH": path}
    del env["PYTHONWARNINGS"]  # a newcomer has none
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=env, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert shlex.split(command)
