"""What starts as a fork finds what a process finds that starts by itself."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.conftest import clean_env

PROBE = """
import json, os, signal, sys, threading, warnings
told = {
    "argv": sys.argv, "path": sys.path, "options": sys.warnoptions, "cwd": os.getcwd(),
    "filters": [str(found) for found in warnings.filters], "environment": {**os.environ},
    "parent": os.getppid(), "leads": os.getpgid(0) == os.getpid(), "input": sys.stdin.read(),
    "streams": [[s.encoding, s.errors, s.line_buffering] for s in (sys.stdout, sys.stderr)],
    "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
    "threads": threading.active_count(), "main": __name__, "ours": "mnist_seq" in sys.modules,
    "wandb": "wandb" in sys.modules, "files": sorted(os.listdir("/proc/self/fd")),
}
print(json.dumps(told), flush=True)
print("to the other stream", file=sys.stderr)
sys.exit(7)
"""


@pytest.mark.parametrize("kind", ["-m", "-c", "file"])
@pytest.mark.parametrize("options", [[], ["-W", "error"]])
def test_a_fork_finds_what_a_process_finds(tmp_path: Path, kind: str, options: list[str]) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    what = {"-m": ["-m", "probe"], "-c": ["-c", PROBE], "file": [str(tmp_path / "probe.py")]}[kind]
    env = {**clean_env(), "PYTHONPATH": os.pathsep.join(["tests", str(tmp_path)]), "MINE": "ü"}
    if options:
        del env["PYTHONWARNINGS"]

    def tell(starts: Any) -> tuple[dict[str, Any], str, int]:
        done = starts.run(
            [sys.executable, *options, *what, "a", "-b"], cwd=tmp_path, env=env, text=True,
            input="read this", capture_output=True, start_new_session=True,
        )  # fmt: skip
        return json.loads(done.stdout), done.stderr, done.returncode

    assert tell(warm) == tell(subprocess)


def test_a_fork_ends_as_a_process_ends() -> None:
    """By an error, Ctrl-C, or a kill; and whoever writes to it finds out."""
    for code, ends in {
        "raise KeyboardInterrupt": -signal.SIGINT,
        "1 / 0": 1,
        "print(1)": 0,
    }.items():
        assert warm.run([sys.executable, "-c", code], capture_output=True).returncode == ends
    with warm.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        process.kill()
    assert process.returncode == -signal.SIGKILL


def test_what_is_read_at_the_start_of_a_process_makes_one() -> None:
    """A fork would not see it."""
    code = "import sys; print(sys.flags.utf8_mode, 'torch' in sys.modules)"
    for env, says in {"0": "0 False", "1": "1 False"}.items():
        done = warm.run(
            [sys.executable, "-c", code], env={**clean_env(), "PYTHONUTF8": env},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == says
    assert warm.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.endswith(
        "True\n"
    )
