"""The sweep folder: its runs, its ledger, its lock.

<run>/            one folder a run
ledger.jsonl      one line a change of state of a run
multirun.yaml     the config and the overrides of the last command
.lock             held by the command that is at work on the sweep
.stale/           runs that a rerun has replaced
"""

import contextlib
import datetime
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from mnist_seq.runs import files
from mnist_seq.runs.errors import SweepLocked
from mnist_seq.runs.folder import RunFolder, find_runs

Change = Literal[
    "planned", "reused", "started", "finished", "failed", "diverged", "interrupted", "retried"
]


class SweepFolder:
    """One sweep on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger_path = path / "ledger.jsonl"
        self.lock_path = path / ".lock"
        self.stale_path = path / ".stale"

    def run(self, name: str) -> RunFolder:
        """The folder of one run."""
        return RunFolder(self.path / name)

    def runs(self) -> list[RunFolder]:
        """Runs that have begun here, those set aside left out."""
        return [run for run in find_runs(self.path) if self.stale_path not in run.path.parents]

    def note(self, change: Change, run: str, **facts: Any) -> None:
        """Append one change of state to the ledger."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        files.append_line(self.ledger_path, {"time": now, "run": run, "change": change, **facts})

    def ledger(self) -> list[dict[str, Any]]:
        """All changes so far, oldest first; a torn last line is left out."""
        return files.read_lines(self.ledger_path)

    def set_aside(self, run: RunFolder) -> Path:
        """Move a run out of the way, so that another takes its name; nothing is deleted."""
        stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
        target = self.stale_path / f"{run.path.name}_{stamp}"
        target.parent.mkdir(exist_ok=True)
        shutil.move(run.path, target)
        return target

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the sweep for one command.

        The operating system frees the lock when its process dies, however it dies: a lock of a dead
        process is no lock.

        Raises:
            SweepLocked: another process is at work on this sweep.
        """
        import filelock

        self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.lock_path, timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise SweepLocked(
                f"{self.path} is being worked on{self._holder()}, and a sweep takes one command at a "
                "time; wait for it, stop it, or choose another sweep.name"
            ) from None
        holder = self.path / ".lock-holder"
        try:
            files.write_json(holder, {"pid": os.getpid(), "host": socket.gethostname()})
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()

    def _holder(self) -> str:
        try:
            holder = json.loads((self.path / ".lock-holder").read_text())
        except (OSError, ValueError):
            return ""
        return f" by process {holder.get('pid')} on {holder.get('host')}"
