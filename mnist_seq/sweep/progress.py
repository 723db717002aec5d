"""How far a sweep is, from its folder alone: nothing is changed or locked."""

import contextlib
import datetime
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mnist_seq.runs.events import BY_ACCURACY, value_text
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.lock import holder as holder_of
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.text import duration
from mnist_seq.sweep.pool.answer import Answer, AnswerFile, lock_path
from mnist_seq.sweep.pool.call import INTERRUPTED
from mnist_seq.sweep.pool.failures import reason, state_of
from mnist_seq.sweep.pool.remote import STOPPED_BY
from mnist_seq.sweep.slurm.handle import STOPS
from mnist_seq.sweep.slurm.queue import LIVE, read, reasons, said_now
from mnist_seq.waypoints.of_folder import standing_of

State = Literal["finished", "diverged", "failed", "interrupted", "at work", "queued", "not begun"]


@dataclass(frozen=True)
class RunSeen:
    """One run of a sweep.

    Attributes:
        words: how far it is, or why it has ended.
    """

    name: str
    state: State
    words: str


@dataclass(frozen=True)
class Seen:
    """A sweep at one moment.

    Attributes:
        command: process and machine of the command that works on it, or "".
    """

    folder: SweepFolder
    runs: list[RunSeen]
    command: str

    @property
    def is_alive(self) -> bool:
        """Whether a command, a run or a job is at work or waits in a queue."""
        is_moving = any(run.state in ("at work", "queued") for run in self.runs)
        return bool(self.command) or is_moving


def look(folder: SweepFolder) -> Seen:
    """Read the state of a sweep."""
    last, names = _last_changes(folder)
    jobs = {run: str(row["job"]) for run, row in last.items() if "job" in row}
    said = said_now() if jobs else ""
    queue, why = read(said), reasons(said)
    runs = [_seen(folder.run(name), last.get(name, {}), queue, why) for name in names]
    return Seen(folder, runs, holder_of(folder.path))


def _last_changes(folder: SweepFolder) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The last change of each run, with the id of its job in a queue, and all runs in order."""
    last: dict[str, dict[str, Any]] = {}
    planned: dict[str, None] = {}
    is_planning = False
    for row in folder.ledger():
        run, change = str(row.get("run")), row.get("change")
        is_plan = change in ("planned", "reused")
        if is_plan and not is_planning:
            planned = {}  # a command names all its runs before the first one starts
        planned[run] = None
        is_planning = is_plan
        if change == "started" and "job" in last.get(run, {}):
            row = {**last[run], **row}
        if not is_plan:
            last[run] = row
    return last, list(planned)


def _seen(
    run: RunFolder, last: Mapping[str, Any], queue: Mapping[str, str], waits: Mapping[str, str]
) -> RunSeen:
    name, job = run.path.name, str(last.get("job", ""))
    state, damage = state_of(run)
    if damage:
        return RunSeen(name, "failed", damage)
    if state == "finished":
        return RunSeen(name, "finished", "")
    if state == "diverged":
        return RunSeen(name, "diverged", str(run.result().get("reason", "")))
    is_live = queue.get(job) in LIVE
    if last.get("change") == "submitted" and is_live and queue[job] != "RUNNING":
        why = f": {waits[job]}" if job in waits else ""
        return RunSeen(name, "queued", f"job {job}, {queue[job].lower()}{_since(last)}{why}")
    if holder := holder_of(run.path):
        return RunSeen(name, "at work", "; ".join([*_how_far(run), holder]))
    is_shared, said = last.get("runs", 1) != 1, _said(run, last)
    if is_live and not is_shared:
        return RunSeen(name, "at work", f"job {job} starts")
    if is_live and not (said and said.is_over):  # also a run that an earlier job has stopped
        return RunSeen(name, "queued", f"job {job} trains others first")
    if state == "failed":
        return RunSeen(name, "failed", reason(run))
    if state == "interrupted":
        why = str(last.get("reason", "")).removeprefix(INTERRUPTED)
        why = why or _stop_of(said, queue.get(job, ""))
        return RunSeen(name, "interrupted", "; ".join(filter(None, [*_how_far(run), why])))
    return RunSeen(name, "not begun", "")


def _said(run: RunFolder, last: Mapping[str, Any]) -> Answer | None:
    """What the run's last job has said of it, if it has come to it."""
    return AnswerFile(lock_path(run.path), str(last["call"])).read() if "call" in last else None


def _stop_of(said: Answer | None, state: str) -> str:
    """What has stopped a run of whose end no command has heard, or ""."""
    if state in STOPS:
        return f"{STOPPED_BY}Slurm: {STOPS[state]}"
    return said.fault.removeprefix(INTERRUPTED) if said else ""


def _since(row: Mapping[str, Any]) -> str:
    with contextlib.suppress(KeyError, ValueError, TypeError):
        then = datetime.datetime.fromisoformat(row["time"])
        return f" for {duration((datetime.datetime.now(datetime.UTC) - then).total_seconds())}"
    return ""


def _how_far(run: RunFolder) -> list[str]:
    """The last evaluation of a run, and how long ago it was; nothing before the first one."""
    judged, end = BY_ACCURACY, ""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        judged = run.judged()
        end = f"/{run.record()['config']['training']['epochs']:g}"
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError, TypeError):
        row = run.metrics()[-1]
        names = [f"{part}/{judged['main']}" for part in ("valid", "monitor")]
        words = f"epoch {row['epoch']:g}{end}"
        for metric in [metric for metric in names if metric in row][:1]:
            words += f", {metric.replace('/', ' ')} {value_text(metric, row[metric], judged)}"
        if beside := standing_of(run):
            words += f", {beside.in_words} ({beside.stored.id})"
        ago = time.time() - run.metrics_path.stat().st_mtime
        return [f"{words}, {duration(max(0.0, ago))} ago"]
    return []
