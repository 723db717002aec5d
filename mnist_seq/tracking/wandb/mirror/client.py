"""Client of the mirror process: starts it, and sends it commands. Calls return at once."""

import atexit
import contextlib
import dataclasses
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from mnist_seq import system
from mnist_seq.runs import files
from mnist_seq.runs.events import Ended, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.text import plural
from mnist_seq.tracking import Tell
from mnist_seq.tracking.wandb import package
from mnist_seq.tracking.wandb.run import status
from mnist_seq.tracking.wandb.settings import Settings

CHOICE_SECONDS = 6.0
# Longest wait for W&B at the end of a run, beyond the seconds that its server gets
GRACE_SECONDS = 30.0

log = logging.getLogger("mnist_seq.tracking")


class Client:
    """Starts a mirror process and sends it commands.

    No method raises. Only `choose` and `close` wait for W&B, and both have a time limit.

    Args:
        home: the sweep's folder, or the run's where it belongs to no sweep.
        finish: seconds that the server gets to accept the end of a run.
        is_sweep: the runs belong to a sweep, so that they must not share the run id that a W&B
            agent passed in the environment.
        tell: called with a level of `logging` and a line, by any thread.

    Attributes:
        states: state (see `run.status`) of each run that ended, by its folder.
        num_lost: number of runs that were open when the mirror process died.
    """

    def __init__(self, home: Path, *, finish: float, is_sweep: bool, tell: Tell = log.log) -> None:
        self._tell = tell
        self._began = time.monotonic()
        self._is_choice_late = False
        self.states: dict[Path, str] = {}
        self.num_lost = 0
        self._limit = finish + GRACE_SECONDS
        self._outbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._choice: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._open_runs: set[str] = set()  # folders of runs that are not fully uploaded
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._threads: list[threading.Thread] = []
        try:
            self._process = _start(home, is_sweep=is_sweep)
        except OSError as error:
            self._tell(
                logging.WARNING, f"W&B's mirror could not be started, and runs go on: {error}"
            )
            return
        for target in (self._write, self._read):
            thread = threading.Thread(target=target, name="wandb-client", daemon=True)
            thread.start()
            self._threads.append(thread)
        atexit.register(self.close)

    def choose(self, settings: Settings) -> str:
        """Let the mirror decide between online and offline; return the line that says so.

        Waits until the mirror process is 6 s old. A line that comes later goes to `tell`.
        """
        self._outbox.put({"do": "choose", "settings": dataclasses.asdict(settings)})
        try:
            left = CHOICE_SECONDS - (time.monotonic() - self._began)
            return self._choice.get(timeout=max(0.1, left))
        except queue.Empty:
            self._is_choice_late = True
            return "W&B: not ready yet, and runs start without it"

    def started(self, folder: Path, event: Started | None, tags: list[str]) -> None:
        """A run started, or was resumed."""
        with self._lock:
            self._open_runs.add(str(folder))
        counts = {"num_params": event.num_params, "num_steps": event.num_steps} if event else None
        self._outbox.put({"do": "start", "folder": str(folder), "tags": tags, "counts": counts})

    def evaluated(self, folder: Path) -> None:
        """A run has a new row in its metrics."""
        self._outbox.put({"do": "upload", "folder": str(folder)})

    def ended(self, folder: Path, event: Ended) -> None:
        """A run ended."""
        end = {"state": event.state, "exit_code": event.exit_code, "reason": event.reason}
        self._outbox.put({"do": "end", "folder": str(folder), **end})

    def close(self) -> None:
        """Wait until all runs are uploaded, and end the process; kill it if that takes too long."""
        atexit.unregister(self.close)
        process, self._process = self._process, None
        if process is None:
            return
        self._outbox.put(None)
        try:
            process.wait(self._limit)
        except subprocess.TimeoutExpired:
            self._tell(
                logging.WARNING,
                f"W&B's mirror did not end within {self._limit:g} s, and was killed",
            )
            system.kill_group(process.pid)
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join(5.0)
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]

    def _write(self) -> None:
        """Send commands, on a thread: a mirror process that does not read delays nobody."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            while (command := self._outbox.get()) is not None:
                process.stdin.write(json.dumps(command) + "\n")
                process.stdin.flush()
        with contextlib.suppress(OSError):
            process.stdin.close()

    def _read(self) -> None:
        """Take in the mirror's reports, on a thread."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        for line in process.stdout:
            report = json.loads(line)
            if "say" in report:
                self._tell(logging.getLevelNamesMapping()[report["say"]], report["text"])
            elif "choice" in report and self._is_choice_late:
                self._tell(logging.INFO, report["choice"])
            elif "choice" in report:
                self._choice.put(report["choice"])
            else:
                self._uploaded(report["done"], report["state"])
        for folder in list(self._open_runs):  # the process ended without a report on these
            self._record_lost(folder)
        if self.num_lost:
            self._tell(
                logging.WARNING,
                f"W&B's mirror died with {plural(self.num_lost, 'run')}, and training goes on",
            )

    def _uploaded(self, folder: str, state: str) -> None:
        with self._lock:
            if folder in self._open_runs:
                self._open_runs.remove(folder)
                self.states[Path(folder)] = state

    def _record_lost(self, folder: str) -> None:
        """Write to run.json that a run is only partly in W&B, since its mirror died."""
        found = status.recorded(RunFolder(Path(folder)))
        if found:
            self.num_lost += 1
            reason = "W&B's mirror died"
            with contextlib.suppress(OSError, ValueError, TypeError):
                status.record(
                    RunFolder(Path(folder)),
                    status.Status(**{**found, "state": "partial", "reason": reason}),
                )
        self._uploaded(folder, "partial" if found else "none")


def _open_log(home: Path) -> int:
    """What the mirror process prints, beside W&B's own logs."""
    return files.open_append(files.make_folder(home, "wandb", "local") / "mirror.log")


def _start(home: Path, *, is_sweep: bool) -> subprocess.Popen[str]:
    environment = package.environment(home)
    if is_sweep:
        package.forget_agent(environment)
    with contextlib.ExitStack() as stack:
        try:
            errors: Any = stack.enter_context(os.fdopen(_open_log(home), "a", encoding="utf-8"))
        except OSError:  # the folder cannot be written to, which the mirror process reports
            errors = subprocess.DEVNULL
        return subprocess.Popen(
            [sys.executable, "-m", "mnist_seq.tracking.wandb.mirror.process", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            env=environment,
            # Its own process group keeps Ctrl-C at the terminal away from it. It stays in our
            # session: Linux compares niceness only within a session, and it must yield to training
            **system.own_group(),
        )
