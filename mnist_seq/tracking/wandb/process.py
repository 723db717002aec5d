"""The mirror's process: `python -m mnist_seq.tracking.wandb.process`, commands in, reports out.

A line of JSON each way. Commands on the standard input:
    {"do": "choose", "tracker": {...}}                         answered by {"choice": notice}
    {"do": "start", "folder": ..., "tags": [...], "started": {...}}   a run has begun or goes on
    {"do": "look", "folder": ...}                              it has evaluated
    {"do": "end", "folder": ..., "state": ..., "exit_code": ..., "reason": ...}
The end of the input closes the mirror: runs without an end were killed with their process.
Reports: {"say": level, "text": ...} and, where a run is through, {"done": folder, "state": ...}.

It is one process for all runs of a sweep, apart from those that train: wandb costs its import and
its service once, a crash of it hurts nobody, and it outlives a killed run to tell how that ended.
"""

import contextlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from mnist_seq.runs.events import Ended
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb import source
from mnist_seq.tracking.wandb.library import own_temporary_folder, reason, remove_empty_staging
from mnist_seq.tracking.wandb.link import Link
from mnist_seq.tracking.wandb.mode import is_disabled, settle
from mnist_seq.tracking.wandb.source import Tracker
from mnist_seq.tracking.wandb.status import Status

LOCK_SECONDS = 60.0  # until a mirror of the same folder, whose sweep was killed, has left
# Beyond the time that a server has to take the end of a run
GRACE_SECONDS = 20.0

log = logging.getLogger("mnist_seq.tracking")


class Reporter(logging.Handler):
    """Reports to the process that asked for the mirror; one that has died hears nothing."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(logging.INFO)
        self._out, self._out_lock = out, threading.Lock()

    def report(self, **values: Any) -> None:
        with self._out_lock, contextlib.suppress(OSError):
            self._out.write(json.dumps(values) + "\n")
            self._out.flush()

    def emit(self, record: logging.LogRecord) -> None:
        self.report(say=record.levelname, text=record.getMessage())


class Mirror:
    """All runs that this process mirrors.

    Args:
        leave: ends the process with an exit code, where W&B takes for ever.
    """

    def __init__(self, reporter: Reporter, leave: Callable[[int], None]) -> None:
        self._reporter, self._leave = reporter, leave
        self._links: dict[str, Link] = {}
        self._longest_finish = 0.0

    def do(self, command: dict[str, Any]) -> None:
        """Carry out one command, without a wait for W&B."""
        if command["do"] == "choose":
            tracker = Tracker.read(command["tracker"])
            choose = threading.Thread(target=self._choose, args=(tracker,), daemon=True)
            choose.start()
            return
        folder = command["folder"]
        if command["do"] == "start":
            self._start(folder, command)
        elif (link := self._links.get(folder)) is None:
            return
        elif command["do"] == "look":
            link.look()
        else:
            self._end(folder, Ended(command["state"], command["exit_code"], command["reason"]))

    def close(self) -> None:
        """End what has no end yet, and wait for W&B, not for ever."""
        links = list(self._links.values())
        for folder in list(self._links):
            self._end(folder, source.ending(RunFolder(Path(folder))))
        timer = threading.Timer(self._longest_finish + GRACE_SECONDS, self._leave, (1,))
        timer.daemon = True
        timer.start()
        for link in (*links, *_running_links()):
            link.join()

    def _choose(self, tracker: Tracker) -> None:
        choice, _ = settle(tracker)
        self._reporter.report(choice=choice.notice)

    def _start(self, path: str, command: dict[str, Any]) -> None:
        if (link := self._links.get(path)) is not None:  # a retry goes on with its run
            link.look()
            return
        folder = RunFolder(Path(path))
        try:
            tracker = Tracker.of(folder.record())
            if tracker is None or is_disabled(tracker):
                return
            tags = tuple(command.get("tags", ()))
            identity = source.identify(folder, tags=tags, started=command.get("started"))
        except (OSError, ValueError) as error:
            log.warning("%s is not mirrored to W&B: %s", path, reason(error))
            return
        self._longest_finish = max(self._longest_finish, tracker.finish)
        self._links[path] = link = Link(folder, tracker, identity, self._done)
        link.start()

    def _end(self, folder: str, said: Ended) -> None:
        self._links.pop(folder).end(said)

    def _done(self, folder: RunFolder, status: Status) -> None:
        self._reporter.report(done=str(folder.path), state=status.state, url=status.url)


def _running_links() -> list[Link]:
    return [thread for thread in threading.enumerate() if isinstance(thread, Link)]


def main() -> None:
    """Carry out commands until the input ends."""
    import filelock

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # the end of the input is the end
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever wandb prints is no report
    reporter = Reporter(out)
    log.setLevel(logging.INFO)
    log.addHandler(reporter)
    temporary = own_temporary_folder()

    home = Path(sys.argv[1])

    def leave(code: int) -> None:
        remove_empty_staging(home)
        temporary.cleanup()
        os._exit(code)  # wandb's own end waits for what has been given up on

    mirror = Mirror(reporter, leave)
    lock = filelock.FileLock(home / "wandb" / ".lock")
    with contextlib.suppress(OSError, filelock.Timeout):  # a folder that takes no lock takes no run
        lock.acquire(timeout=LOCK_SECONDS)
    for line in sys.stdin:
        try:
            mirror.do(json.loads(line))
        except Exception as error:  # a fault here is a run less in W&B, not the others
            log.warning("W&B's mirror failed at one command: %s", reason(error))
    mirror.close()
    out.flush()
    leave(0)


if __name__ == "__main__":
    main()
