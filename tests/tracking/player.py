"""Runs played in processes of their own, away from the user's home and settings."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.wandb_file import read

TESTS = Path(__file__).resolve().parent
PLAY = TESTS / "play.py"


@dataclass
class Player:
    """Plays runs in a fresh process, with a home and an environment of the test's own."""

    root: Path
    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_") and k != "NETRC"}
        return {**kept, "HOME": str(self.home), "PYTHONPATH": str(TESTS.parents[1]), **self.env}

    def command(self, runs: list[dict[str, Any]], *overrides: str, **spec: Any) -> list[str]:
        spec = {"root": str(self.root), "overrides": list(overrides), "runs": runs, **spec}
        # wandb leaves the removal of a table's temporary folder to the end of the process
        quiet = ["-W", "error", "-W", "ignore:Implicitly cleaning:ResourceWarning"]
        return [sys.executable, *quiet, str(PLAY), json.dumps(spec)]

    def play(self, runs: list[dict[str, Any]], *overrides: str, **spec: Any) -> "Played":
        """Play runs to their end."""
        done = subprocess.run(
            self.command(runs, *overrides, **spec), env=self.environment(), timeout=60,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return Played([json.loads(line) for line in done.stdout.splitlines()], done.stderr)

    def play_and_kill(
        self, run: dict[str, Any], *overrides: str, after: float, **spec: Any
    ) -> None:
        """Play a run up to its end, and kill it there, without a warning, some seconds later."""
        command = self.command([{**run, "waits": True}], *overrides, **spec)
        process = subprocess.Popen(
            command, env=self.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"waiting\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(after)
            process.kill()

    def wandb_files(self) -> list[dict[str, Any]]:
        """All offline runs below the root, in the order of their starts."""
        paths = self.root.rglob("offline-run-*/*.wandb")
        return [read(path) for path in sorted(paths, key=lambda p: p.stat().st_mtime_ns)]


@dataclass
class Played:
    """What a process said: a report a run, and its standard error."""

    reports: list[dict[str, Any]]
    log: str

    def states(self) -> list[str]:
        return [report["wandb"]["state"] for report in self.reports]
