"""The file in which a call says that it has begun, and how it has ended.

A command that was killed, and the next one, read in it what no queue tells.
"""

import contextlib
import datetime
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mnist_seq.runs import files

Order = Literal["stop", "kill"]  # "stop": save the checkpoint and end


@dataclass(frozen=True)
class Answer:
    """What a call has said so far.

    Attributes:
        started: seconds since 1970 at which it began to train.
        host: machine on which it trains.
        is_over: whether it has ended.
        fault: of a call that has ended: why there is no result, or "".
    """

    started: float
    host: str
    is_over: bool = False
    fault: str = ""


class AnswerFile:
    """The file of one call.

    Args:
        lock: lock file of the run, beside which it lies.
        call: id of the call; what an earlier call has written is passed over.
    """

    def __init__(self, lock: Path, call: str) -> None:
        self.path, self._call = lock.with_suffix(".json"), call
        self._order_path = lock.with_suffix(".stop.json")
        self._begun: dict[str, Any] = {}

    def begin(self) -> None:
        """Say that the call has begun, if it was not said before."""
        said, now = self.read(), datetime.datetime.now(datetime.UTC).timestamp()
        started = said.started if said else now
        self._begun = {"call": self._call, "started": started, "host": socket.gethostname()}
        self._write(self._begun)

    def end(self, fault: str) -> None:
        """Say how the call has ended."""
        self._write({**self._begun, "fault": fault})

    def read(self) -> Answer | None:
        """What the call has said; None where it has said nothing, or it cannot be read."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            row = files.read_json(self.path)
            if row["call"] == self._call:
                started, is_over = float(row["started"]), "fault" in row
                return Answer(started, str(row["host"]), is_over, str(row.get("fault", "")))
        return None

    def order(self, word: Order) -> None:
        """Leave an order for the call, which its job will find."""
        files.make_folder(self.path.parent.parent, self.path.parent.name)
        self._write({"call": self._call, "order": word}, self._order_path)

    def ordered(self) -> Order | None:
        """The order that was left for the call."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            row = files.read_json(self._order_path)
            if row["call"] == self._call:
                return "kill" if row["order"] == "kill" else "stop"
        return None

    def _write(self, row: dict[str, Any], path: Path | None = None) -> None:
        if not self._call:
            return
        path = path or self.path
        with contextlib.suppress(OSError):  # a full disk; the run itself says so
            files.write_json(files.inside(path.parent, path.name), row)


def lock_path(run: Path) -> Path:
    """The file that is locked while a run trains, of the run's folder."""
    return run.parent / ".at_work" / f"{run.name}.lock"


def new_id() -> str:
    """An id that no other call has."""
    return os.urandom(8).hex()
