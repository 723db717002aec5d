"""The mirror's process as those see it who have runs to mirror: commands go in and nobody waits."""

import atexit
import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnist_seq.runs.events import Ended, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb import library, status

CHOICE_SECONDS = 6.0
# The longest that the end of a run waits for W&B, beyond the time that its server is given
GRACE_SECONDS = 30.0

Tell = Callable[[int, str], None]

log = logging.getLogger("mnist_seq.tracking")


class Desk:
    """A mirror process. No method raises or waits for W&B, unless it says so.

    Args:
        home: the sweep's folder, or that of a run of its own.
        finish: seconds that a server gets to take the end of a run.
        is_sweep: its runs are those of a sweep, which do not share the id that an agent gave.
        tell: called with a level of `logging` and a line; by any thread.

    Attributes:
        states: how many runs ended in which state (`tracking.status`).
    """

    def __init__(self, home: Path, *, finish: float, is_sweep: bool, tell: Tell = log.log) -> None:
        self._tell = tell
        self._began = time.monotonic()
        self._is_late = False
        self.states: Counter[str] = Counter()
        self.num_lost = 0
        self._limit = finish + GRACE_SECONDS
        self._outbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._choice: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._waiting: set[str] = set()  # runs that are not through
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
            thread = threading.Thread(target=target, name="wandb-desk", daemon=True)
            thread.start()
            self._threads.append(thread)
        atexit.register(self.close)

    def choose(self, tracker: dict[str, Any]) -> str:
        """Decide where runs go, and return the line that says so.

        Waits until the mirror is 6 s old at most; a line that comes later is told.
        """
        self._outbox.put({"do": "choose", "tracker": tracker})
        try:
            left = CHOICE_SECONDS - (time.monotonic() - self._began)
            return self._choice.get(timeout=max(0.1, left))
        except queue.Empty:
            self._is_late = True
            return "W&B: not ready yet, and runs start without it"

    def start(self, folder: Path, event: Started | None, tags: list[str]) -> None:
        """A run has begun, or goes on."""
        with self._lock:
            self._waiting.add(str(folder))
        counts = {"num_params": event.num_params, "num_steps": event.num_steps} if event else None
        self._outbox.put({"do": "start", "folder": str(folder), "tags": tags, "started": counts})

    def look(self, folder: Path) -> None:
        """A run has evaluated."""
        self._outbox.put({"do": "look", "folder": str(folder)})

    def end(self, folder: Path, said: Ended) -> None:
        """A run has ended."""
        self._outbox.put(
            {
                "do": "end",
                "folder": str(folder),
                "state": said.state,
                "exit_code": said.exit_code,
                "reason": said.reason,
            }
        )

    def close(self) -> None:
        """Wait until all runs are through, and end the process; what takes too long is given up."""
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
                f"W&B's mirror did not end within {self._limit:g} s, and is given up",
            )
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for thread in self._threads:
            thread.join(5.0)
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]

    def _write(self) -> None:
        """A thread: a mirror that does not read holds up nobody else."""
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
        process = self._process
        assert process is not None
        assert process.stdout is not None
        for line in process.stdout:
            report = json.loads(line)
            if "say" in report:
                self._tell(logging.getLevelNamesMapping()[report["say"]], report["text"])
            elif "choice" in report and self._is_late:
                self._tell(logging.INFO, report["choice"])
            elif "choice" in report:
                self._choice.put(report["choice"])
            else:
                self._through(report["done"], report["state"])
        for folder in list(self._waiting):  # the process has ended, and should have told of these
            self._lose(folder)
        if self.num_lost:
            self._tell(
                logging.WARNING,
                f"W&B's mirror died with {self.num_lost} runs, and training goes on",
            )

    def _through(self, folder: str, state: str) -> None:
        with self._lock:
            if folder in self._waiting:
                self._waiting.remove(folder)
                self.states[state] += 1

    def _lose(self, folder: str) -> None:
        """Say in run.json that a run is not through, since nobody else can."""
        found = status.recorded(RunFolder(Path(folder)))
        if found:
            self.num_lost += 1
            reason = "W&B's mirror died"
            with contextlib.suppress(OSError, ValueError, TypeError):
                status.record(
                    RunFolder(Path(folder)),
                    status.Status(**{**found, "state": "partial", "reason": reason}),
                )
        self._through(folder, "partial" if found else "none")


def _start(home: Path, *, is_sweep: bool) -> subprocess.Popen[str]:
    local = home / "wandb" / "local"
    environment = library.environment(home)
    if is_sweep:
        library.forget_agent(environment)
    with contextlib.ExitStack() as stack:
        try:
            local.mkdir(parents=True, exist_ok=True)
            errors: Any = stack.enter_context((local / "mirror.log").open("a"))
        except OSError:  # a folder that cannot be written to: the mirror will say so
            errors = subprocess.DEVNULL
        return subprocess.Popen(
            [sys.executable, "-m", "mnist_seq.tracking.wandb.process", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            # Ctrl-C at the terminal is not for it. Not a session of its own, in which Linux would
            # let its niceness count for nothing against those who train
            process_group=0,
        )
