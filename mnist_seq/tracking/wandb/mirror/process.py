"""The mirror process: `python -m mnist_seq.tracking.wandb.mirror.process <home>`.

It reads commands from the standard input and writes reports to the standard output, one line of
JSON each. Commands:
    {"do": "choose", "settings": {...}}     choose online or offline; answered by {"choice": line}
    {"do": "start", "folder": ..., "tags": [...], "counts": {...}}      a run started, or goes on
    {"do": "upload", "folder": ...}                                     it has a new row
    {"do": "end", "folder": ..., "state": ..., "exit_code": ..., "reason": ...}
When the input ends, the mirror ends too. A run without an end by then was killed.
Reports: {"say": level, "text": ...}, and when a run is uploaded {"done": folder, "state": ...}.

One process serves all runs of a sweep, apart from the processes that train: wandb's import and its
service are paid once, its crash hurts no run, and it outlives a killed run to record its end.
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

from mnist_seq.runs import files
from mnist_seq.runs.errors import OutsideFolder
from mnist_seq.runs.events import Ended
from mnist_seq.runs.folder import RunFolder
from mnist_seq.system import STOP_SIGNALS
from mnist_seq.tracking.wandb import variables
from mnist_seq.tracking.wandb.mirror import outage
from mnist_seq.tracking.wandb.mirror.upload import Upload
from mnist_seq.tracking.wandb.mode import current_choice, is_disabled
from mnist_seq.tracking.wandb.package import own_temporary_folder, reason, remove_empty_staging
from mnist_seq.tracking.wandb.run import contents, status
from mnist_seq.tracking.wandb.run.status import Status
from mnist_seq.tracking.wandb.settings import Settings

LOCK_SECONDS = 60.0  # wait for the mirror of an earlier, killed sweep in the same folder
# Longest wait at the end, beyond the seconds that the server gets to accept the end of a run
GRACE_SECONDS = 20.0

log = logging.getLogger("mnist_seq.tracking")


class Reporter(logging.Handler):
    """Sends reports and log lines to the client. A client that died is no error."""

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
    """The runs that this process mirrors.

    Args:
        leave: ends the process with an exit code; called when W&B does not finish in time.
    """

    def __init__(self, reporter: Reporter, leave: Callable[[int], None]) -> None:
        self._reporter, self._leave = reporter, leave
        self._uploads: dict[str, Upload] = {}
        self._longest_finish = 0.0
        # as it was given: a restart of W&B's service may have to remove variables
        self._environment = dict(os.environ)

    def do(self, command: dict[str, Any]) -> None:
        """Carry out one command, without waiting for W&B."""
        if command["do"] == "choose":
            settings = Settings.read(command["settings"])
            choose = threading.Thread(target=self._choose, args=(settings,), daemon=True)
            choose.start()
            outage.expect_later_runs()
            return
        folder = command["folder"]
        if command["do"] == "start":
            self._start(folder, command)
        elif (upload := self._uploads.get(folder)) is None:
            return
        elif command["do"] == "upload":
            upload.wake()
        else:
            self._end(folder, Ended(command["state"], command["exit_code"], command["reason"]))

    def close(self) -> None:
        """End the runs that have no end yet, and wait for W&B up to a limit."""
        uploads = list(self._uploads.values())
        for folder in list(self._uploads):
            self._end(folder, contents.ending(RunFolder(Path(folder))))
        timer = threading.Timer(self._longest_finish + GRACE_SECONDS, self._leave, (1,))
        timer.daemon = True
        timer.start()
        for upload in (*uploads, *_running_uploads()):
            upload.join()

    def _choose(self, settings: Settings) -> None:
        choice, _ = current_choice(settings)
        self._reporter.report(choice=choice.notice)

    def _start(self, path: str, command: dict[str, Any]) -> None:
        if (upload := self._uploads.get(path)) is not None:  # a retry continues the same W&B run
            upload.wake()
            return
        folder = RunFolder(Path(path))
        try:
            held = self._held(folder)
            settings = Settings.of_record(folder.record(), held)
            if settings is None or is_disabled(settings):
                return
            tags = tuple(command.get("tags", ()))
            counts = command.get("counts")
            identity = contents.identify(folder, tags=tags, counts=counts, held=held)
        except (OSError, ValueError) as error:
            log.warning("%s is not mirrored to W&B: %s", path, reason(error))
            return
        self._longest_finish = max(self._longest_finish, settings.finish)
        self._uploads[path] = upload = Upload(folder, settings, identity, held, self._done)
        upload.start()

    def _held(self, folder: RunFolder) -> dict[str, str]:
        """The variables that hold for a run. A resumed one keeps those that are not set now."""
        options = folder.record().get("config", {}).get("tracker", {})
        given = {**variables.recorded(status.recorded(folder)), **self._environment}
        return variables.holding(options, is_sweep=contents.is_in_sweep(folder), given=given)

    def _end(self, folder: str, event: Ended) -> None:
        self._uploads.pop(folder).end(event)

    def _done(self, folder: RunFolder, status: Status) -> None:
        self._reporter.report(done=str(folder.path), state=status.state, url=status.url)


def _running_uploads() -> list[Upload]:
    return [thread for thread in threading.enumerate() if isinstance(thread, Upload)]


def take_lock(home: Path) -> Any:
    """Lock the W&B files of a sweep. Without the lock uploads fail too, and say so."""
    import filelock

    # a link could lead to any file of the user, which a lock empties
    with contextlib.suppress(OSError, filelock.Timeout, OutsideFolder):
        lock = filelock.FileLock(files.inside(home, "wandb", ".lock"))
        lock.acquire(timeout=LOCK_SECONDS)
        return lock
    return None


def main() -> None:
    """Carry out commands until the input ends."""
    for signum in STOP_SIGNALS:
        signal.signal(signum, signal.SIG_IGN)  # only the end of the input ends this process
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what wandb prints must not mix with the reports
    reporter = Reporter(out)
    log.setLevel(logging.INFO)
    log.addHandler(reporter)
    temporary = own_temporary_folder()

    home = Path(sys.argv[1])

    def leave(code: int) -> None:
        remove_empty_staging(home)
        temporary.cleanup()
        os._exit(code)  # wandb's own exit handlers wait for runs that were given up

    mirror = Mirror(reporter, leave)
    lock = take_lock(home)  # freed with the variable, at the end
    for line in sys.stdin:
        try:
            mirror.do(json.loads(line))
        except Exception as error:  # costs one run in W&B, not the others
            log.warning("W&B's mirror failed at one command: %s", reason(error))
    mirror.close()
    out.flush()
    del lock
    leave(0)


if __name__ == "__main__":
    main()
