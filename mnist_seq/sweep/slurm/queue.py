"""Asks Slurm for the states of jobs, at a pace of our own and without waiting for the answer.

`squeue` knows each job until `MinJobAge` (300 s) after its end, also where there is no accounting.
A job that it does not know any more is looked for with `sacct`, which knows it where there is.
"""

import contextlib
import logging
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

LIVE = {"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING",
        "SIGNALING", "STAGE_OUT", "RESV_DEL_HOLD", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD",
        "SPECIAL_EXIT"}  # fmt: skip
UNKNOWN = "UNKNOWN"  # to the last question
# reasons of Slurm to let a job wait that pass by themselves
_ORDINARY = {"None", "Priority", "Resources", "JobArrayTaskLimit", "Prolog", "Cleaning"}

URGENT_S = 1.0  # least seconds between two questions
PATIENCE_S = 30.0  # seconds for an answer; a controller may be restarting
CLOSE_S = 2.0  # seconds that an order gets at the end of the command
_SQUEUE = ["squeue", "--noheader", "--array", "--me", "--states=all", "--format=%i|%T|%r"]
_SACCT = ["sacct", "--noheader", "--allocations", "--parsable2", "--format=JobID,State"]
_LINE = re.compile(r"(\d+(?:_\d+)?)\|([A-Z_]+)(?:\|(.*))?")


class Queue:
    """The last known states of jobs.

    Args:
        poll_s: seconds between two questions.
    """

    def __init__(self, *, poll_s: float) -> None:
        self._poll_s = poll_s
        self._states: dict[str, str] = {}
        self._squeue, self._sacct = _Question(), _Question()
        self._is_urgent = False
        self._by_squeue: dict[str, str] = {}
        self._watched, self._said = set[str](), set[str]()
        self.asked_at = float("-inf")  # begin of the last question that was answered

    def state(self, job: str) -> str:
        """The job's state at the last question, such as RUNNING; `UNKNOWN` to it; "" before it."""
        self._refresh()
        if self.asked_at == float("-inf"):
            return ""
        return self._states.get(job, UNKNOWN)

    def hurry(self) -> None:
        """Ask soon."""
        self._is_urgent = True

    def forget(self) -> None:
        """End the question that is under way."""
        self._squeue.drop()
        self._sacct.drop()

    def _refresh(self) -> None:
        if self._sacct.is_open:
            text = self._sacct.answer()
            if text is not None:
                self._note({**read(text), **self._by_squeue}, self._squeue.begun)
        elif self._squeue.is_open:
            text = self._squeue.answer()
            if text is None:
                return
            if self._squeue.is_refused:  # the controller is not there: nothing is known
                return
            self._by_squeue = read(text)
            self._say_why(reasons(text))
            lost = [job for job, state in self._states.items()
                    if job not in self._by_squeue and state in (*LIVE, UNKNOWN)]  # fmt: skip
            if lost:
                self._sacct.ask([*_SACCT, f"--jobs={','.join(lost)}"])
            if not self._sacct.is_open:  # also where there is no sacct
                self._note(self._by_squeue, self._squeue.begun)
        else:
            pause = URGENT_S if self._is_urgent else self._poll_s
            if time.monotonic() - self._squeue.begun >= pause:
                self._is_urgent = False
                self._squeue.ask(_SQUEUE)

    def watch(self, job: str) -> None:
        """Look for a job also where `squeue` does not know it."""
        self._states.setdefault(job, "PENDING")
        self._watched.add(job)

    def _say_why(self, why: dict[str, str]) -> None:
        """Say once why jobs wait, where that may never pass: more cores than a node has, a hold."""
        for job in sorted(self._watched & why.keys()):
            if why[job] not in _ORDINARY | self._said:
                self._said.add(why[job])
                log.warning("job %s waits in Slurm's queue: %s", job, why[job])

    def _note(self, found: dict[str, str], asked_at: float) -> None:
        for job in self._states.keys() - found.keys():
            if self._states[job] in LIVE:
                found[job] = UNKNOWN
        self._states.update(found)
        self.asked_at = asked_at


class _Question:
    """A command that is running. Its answer goes through a file, so that no pipe fills up."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._file: Any = None
        self.begun = float("-inf")
        self.is_refused = False

    @property
    def is_open(self) -> bool:
        return self._process is not None

    def ask(self, words: list[str]) -> None:
        self._file, self.begun = tempfile.TemporaryFile(), time.monotonic()  # noqa: SIM115
        with contextlib.suppress(OSError):
            self._process = started(words, stdout=self._file)

    def answer(self) -> str | None:
        """What it has printed; None while it runs."""
        assert self._process is not None
        code = self._process.poll()
        if code is None and time.monotonic() - self.begun < PATIENCE_S:
            return None
        self.is_refused = code != 0
        self._file.seek(0)
        text: str = self._file.read().decode(errors="replace")
        self.drop()
        return text

    def drop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._file.close()
        self._process = None


def states_now() -> dict[str, str]:
    """The states of this user's jobs, asked for now; none where Slurm does not answer."""
    return read(said_now())


def said_now() -> str:
    """What `squeue` says now of this user's jobs; "" where Slurm does not answer."""
    question = _Question()
    question.ask(_SQUEUE)
    text: str | None = "" if not question.is_open else None
    while text is None:
        time.sleep(0.02)
        text = question.answer()
    return text


def reasons(text: str) -> dict[str, str]:
    """Why jobs wait, in Slurm's words, of what `squeue` says."""
    rows = filter(None, map(_LINE.match, text.splitlines()))
    return {m[1]: m[3] for m in rows if m[2] == "PENDING" and m[3] not in (None, "", "None")}


def read(text: str) -> dict[str, str]:
    """States of jobs, of what `squeue` or `sacct` says."""
    return {m[1]: m[2] for m in map(_LINE.match, text.splitlines()) if m}


def started(words: list[str], *, stdout: Any = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
    """Start a command of Slurm in a session of its own, which Ctrl-C does not reach."""
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


class Orders:
    """Orders to Slurm, such as `scancel`, whose end nobody waits for."""

    def __init__(self, start: Callable[[list[str]], "subprocess.Popen[bytes]"] = started) -> None:
        self._start, self._running = start, list[subprocess.Popen[bytes]]()

    def give(self, *words: str) -> None:
        """Start a command."""
        self._running = [process for process in self._running if process.poll() is None]
        with contextlib.suppress(OSError):
            self._running.append(self._start(list(words)))

    def close(self) -> None:
        """Wait for the last ones, not for long: a controller may be gone."""
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(CLOSE_S)
