"""Runs played in processes of their own, away from the user's home and settings."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb.mirror.priority import NICENESS
from tests import warm
from tests.tracking.wandb_file import read

TESTS = Path(__file__).resolve().parent
PLAY = TESTS / "play.py"


@dataclass
class Player:
    """Plays runs in a fresh process, with a home and an environment of the test's own."""

    root: Path
    home: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def log_path(self) -> Path:
        """Where the standard error of the runs goes that are played now."""
        return self.root.parent / f"{self.root.name}.log"

    def wait_for_line(self, text: str) -> None:
        """Wait until the runs that are played now have said so."""
        deadline = time.monotonic() + 60
        while text not in self.log_path.read_text():
            assert time.monotonic() < deadline, self.log_path.read_text()
            time.sleep(0.02)

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_") and k != "NETRC"}
        return {**kept, "HOME": str(self.home), "PYTHONPATH": str(TESTS.parents[1]), **self.env}

    def command(self, runs: list[dict[str, Any]], *overrides: str, **spec: Any) -> list[str]:
        spec = {"root": str(self.root), "overrides": list(overrides), "runs": runs, **spec}
        return [sys.executable, "-W", "error", str(PLAY), json.dumps(spec)]

    def play(self, runs: list[dict[str, Any]], *overrides: str, **spec: Any) -> "Played":
        """Play runs to their end."""
        return self.play_on(lambda: None, runs, *overrides, **spec)

    def play_on(
        self, while_it_waits: Callable[[], object], runs: list[dict[str, Any]], *overrides: str,
        **spec: Any,
    ) -> "Played":  # fmt: skip
        """Play runs to their end, and do something each time that one of them waits."""
        lines = []
        with self.log_path.open("wb") as errors, warm.Popen(
            self.command(runs, *overrides, **spec), env=self.environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stdin is not None
            for line in process.stdout:
                if line == "waiting\n":
                    while_it_waits()
                    process.stdin.write("\n")
                    process.stdin.flush()
                else:
                    lines.append(line)
        log = self.log_path.read_text()
        assert process.returncode == 0, log
        *reports, whole = [json.loads(line) for line in lines]
        return Played(self.root, reports, whole, log)

    def sync(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `python -m mnist_seq.sync` on all that was played."""
        command = [sys.executable, "-m", "mnist_seq.sync", f"sweep={self.root}", *words]
        done = warm.run(
            command, env=self.environment(), cwd=self.home, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def play_and_kill(
        self, run: dict[str, Any], *overrides: str, after: float, **spec: Any
    ) -> None:
        """Play a run up to its end, and kill it there, without a warning, some seconds later."""
        command = self.command([{**run, "waits": True}], *overrides, **spec)
        process = warm.Popen(
            command, env=self.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"waiting\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(after)
            process.kill()

    def record(self, name: str) -> dict[str, Any]:
        """What a run.json says of W&B."""
        found: dict[str, Any] = RunFolder(self.root / name).record().get("wandb", {})
        return found

    def wait_for_state(self, name: str, state: str, key: str = "state") -> None:
        """Wait until a run.json says so of W&B."""
        deadline = time.monotonic() + 20
        while self.record(name).get(key) != state:
            assert time.monotonic() < deadline, self.record(name)
            time.sleep(0.02)

    def wait_until_behind(self, mirror: int) -> None:
        """Wait until the mirror's threads and W&B's service, in its own session, give way."""
        tasks, deadline = Path(f"/proc/{mirror}/task"), time.monotonic() + 20
        while True:
            ids = [int(task.name) for task in tasks.iterdir()]
            services = [int(pid) for path in tasks.glob("*/children")
                        for pid in path.read_text().split()]  # fmt: skip
            nice = {os.getpriority(os.PRIO_PROCESS, i) for i in ids}
            groups = [Path(f"/proc/{pid}/autogroup") for pid in services]
            ours = {path.read_text().split()[-1] for path in groups if path.exists()}
            if nice == {NICENESS} and services and ours <= {str(NICENESS)}:
                return
            assert time.monotonic() < deadline, (nice, ours)
            time.sleep(0.05)

    def mirror(self, parent: int) -> int:
        """The mirror's process of a process."""
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        (mirror,) = [
            int(pid)
            for pid in children
            if b"mnist_seq.tracking.wandb.mirror.process"
            in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        return mirror

    def kill_mirror(self, parent: int) -> None:
        """Kill the mirror's process of a process."""
        os.killpg(self.mirror(parent), signal.SIGKILL)

    def wandb_files(self) -> list[dict[str, Any]]:
        """All offline runs below the root, in the order of their starts."""
        paths = self.root.rglob("offline-run-*/*.wandb")
        return [read(path) for path in sorted(paths, key=lambda p: p.stat().st_mtime_ns)]


@dataclass
class Played:
    """What a process said: a report a run, one of the whole, and its standard error."""

    root: Path
    reports: list[dict[str, Any]]
    whole: dict[str, float]
    log: str

    def records(self) -> list[dict[str, Any]]:
        """What each run.json says of W&B."""
        folders = [RunFolder(self.root / report["name"]) for report in self.reports]
        return [folder.record().get("wandb", {}) for folder in folders]

    def states(self) -> list[str]:
        return [record["state"] for record in self.records()]
