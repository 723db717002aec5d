"""Brings runs to W&B that are not there, or not whole, from their files and folders."""

import contextlib
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb import held, library, offline_file, source, status
from mnist_seq.tracking.wandb.held import Held
from mnist_seq.tracking.wandb.remote_run import RemoteRun
from mnist_seq.tracking.wandb.source import Identity, Tracker

REPLAY_BATCH = 20  # files a call of `wandb sync`, whose start takes a second
REPLAY_WORKERS = 5  # of them at once, as is its default
REPLAY_START_S = 10.0  # until it sends, on a busy machine
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0

_SHORT = ("failed", "interrupted")  # of a result

How = Literal["there", "replayed", "rebuilt", "missing"]


@dataclass
class Item:
    """A run that W&B is to have.

    Attributes:
        how: how it got there; "missing" until the server has shown all of its rows and its end.
        reason: why it is missing.
        is_cut: some of its files may not have got through, which its rows do not tell.
    """

    folder: RunFolder
    tracker: Tracker
    identity: Identity
    how: How = "missing"
    reason: str = ""
    url: str = ""
    is_cut: bool = False

    @property
    def project(self) -> str:
        return held.path_of(self.tracker.project, self.tracker.entity)


@dataclass(frozen=True)
class Limits:
    """How hard to try.

    Attributes:
        workers: runs at once.
        tries: waves; a pause that doubles lies between two.
        timeout: seconds that the server gets for an answer, and to take the end of a run.
    """

    workers: int = 4
    tries: int = 5
    timeout: float = 30.0


def read(folder: RunFolder, *, project: str = "", entity: str = "") -> Item:
    """A run that W&B is to have.

    Args:
        project, entity: where to, instead of where its config says.

    Raises:
        ValueError, OSError: the folder holds no run that can be read.
    """
    tracker = Tracker.read(folder.record().get("config", {}).get("tracker", {}))
    # What is damaged here must not be told as an interruption, or as fewer rows
    folder.state()
    if num := folder.num_damaged_metrics():
        raise ValueError(f"{folder.metrics_path} must be whole: damaged lines: {num}")
    known = status.recorded(folder)
    tracker = replace(
        tracker,
        project=project or known.get("project") or tracker.project,
        entity=entity or known.get("entity") or tracker.entity,
    )
    is_cut = known.get("state") == "partial"
    return Item(folder, tracker, source.identify(folder), is_cut=is_cut)


def catch_up(items: Sequence[Item], limits: Limits, tell: Callable[[Item], None]) -> None:
    """Bring runs to W&B: replay their whole offline files, rebuild the others, and ask the server.

    May be repeated and interrupted at any point: what the server has is asked first, and only what
    it lacks is sent.

    Args:
        tell: called once for each run that is through, or given up; by one thread.
    """
    pause = FIRST_PAUSE_S
    told: set[int] = set()
    for attempt in range(limits.tries):
        todo = [item for item in items if item.how == "missing"]
        if not todo:
            break
        if attempt:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
            library.restart()  # the id of a run that failed to open is in use until then
        _wave(todo, limits)
        for item in todo:
            if item.how != "missing":
                told.add(id(item))
                tell(item)
    for item in items:
        if id(item) not in told and item.how == "missing":
            tell(item)


def _wave(todo: Sequence[Item], limits: Limits) -> None:
    """Try once for each run; the first failure of the server ends it."""
    try:
        found = _look(todo, limits)
        _judge(todo, found, "there")
        absent = [i for i in todo if i.how == "missing" and i.identity.id not in found]
        whole = [(item, path) for item in absent if (path := _whole_file(item)) is not None]
        if whole:
            _replay(whole, limits)
            replayed = [item for item, _ in whole]
            found |= _look(replayed, limits)
            _judge(replayed, found, "replayed")
        _rebuild([item for item in todo if item.how == "missing"], found, limits)
    except Exception as error:  # the server fails in many ways; the next wave asks again
        for item in todo:
            if item.how == "missing":
                item.reason = item.reason or library.reason(error)


def _look(items: Sequence[Item], limits: Limits) -> dict[str, Held]:
    return held.look([(i.project, i.identity.id) for i in items], timeout=limits.timeout)


def _judge(items: Sequence[Item], found: dict[str, Held], how: How) -> None:
    """Find out which runs the server has whole, and note it in their folders."""
    for item in items:
        there = found.get(item.identity.id)
        if there is None:
            continue
        before, item.reason = item.reason, lack(item.folder, there)
        if item.is_cut:
            item.reason = item.reason or before or "its files may not have got through"
        if not item.reason:
            item.how, item.url = how, there.url
            _record(item)


def lack(folder: RunFolder, there: Held) -> str:
    """What the server lacks of a run, or ""."""
    steps = [int(row["step"]) for row in source.rows(folder)]
    if there.steps != steps:
        if there.steps != steps[: len(there.steps)]:
            return (
                f"the server holds rows of another run (steps {there.steps[:3]}..., here "
                f"{steps[:3]}...): delete {there.url} there, and sync again"
            )
        return f"the server has {len(there.steps)} of {len(steps)} rows"
    end = source.ending(folder)
    said = there.summary.get("state")
    if end.exit_code:  # failed or interrupted: who ended it knew better than its files do
        is_same = there.state in ("failed", "crashed", "killed") and said in _SHORT
        return "" if is_same else f"the server says {there.state}, and the run is {end.state}"
    if there.state != "finished" or said != end.state:
        return f"the server says {there.state} ({said}), and the run is {end.state}"
    if (reason := there.summary.get("reason", "")) != end.reason:
        return f"the server says {reason!r}, and the run {end.reason!r}"
    wanted = [*source.summary(folder, end), *(["samples"] * (source.samples(folder) is not None))]
    missing = [key for key in wanted if key not in (*there.summary, "reason")]
    return f"the server lacks {', '.join(missing)}" if missing else ""


def _whole_file(item: Item) -> Path | None:
    num_rows = len(source.rows(item.folder))
    for path in offline_file.files_of(item.identity.home, item.identity.id)[-1:]:
        if not path.with_suffix(".wandb.synced").exists() and offline_file.is_whole(
            path, num_rows=num_rows
        ):
            return path
    return None


def _replay(files: Sequence[tuple[Item, Path]], limits: Limits) -> None:
    """Send offline files by W&B's own command; what came of it, the server and its log tell."""
    by_place: dict[tuple[str, str], list[tuple[Item, Path]]] = {}
    for item, path in files:
        by_place.setdefault((item.tracker.project, item.tracker.entity), []).append((item, path))
    for own in by_place.values():
        for start in range(0, len(own), REPLAY_BATCH):
            with tempfile.TemporaryDirectory(prefix="mnist_seq-") as scratch:
                _replay_batch(own[start : start + REPLAY_BATCH], Path(scratch), limits)


def _replay_batch(files: Sequence[tuple[Item, Path]], scratch: Path, limits: Limits) -> None:
    """Runs of one project. What the server has refused of a run's files, `_rebuild` sends again."""
    for item, _ in files:
        item.is_cut = True
        _record(item, "partial", "its files may not have got through")  # if it ends in between
    tracker = files[0][0].tracker  # a file names a project of its own, which may be another one
    place = ["-p", tracker.project, *(["-e", tracker.entity] * (tracker.entity != "default"))]
    num_rounds = math.ceil(len(files) / REPLAY_WORKERS)
    (scratch / "wandb").mkdir()  # for its logs, one of which else goes among temporary files
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-m", "wandb", "sync", "-n", str(REPLAY_WORKERS), *place]
            + [str(path.parent.resolve()) for _, path in files],
            cwd=scratch,
            env={**os.environ, "WANDB_DIR": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=REPLAY_START_S + limits.timeout * num_rounds,
        )
    logs = list(scratch.glob("wandb/logs/debug-sync*.log"))
    for item, path in files:
        run_id = item.identity.id
        fault = next((fault for log in logs if (fault := library.fault_in(log, run_id))), "")
        is_through = path.with_suffix(".wandb.synced").exists()
        item.reason = fault
        item.is_cut = not logs or bool(fault) or not is_through


def _rebuild(items: Sequence[Item], found: dict[str, Held], limits: Limits) -> None:
    """Send what the server lacks of each run, from its folder."""
    stopped: list[Exception] = []

    def rebuild(item: Item) -> None:
        if stopped:
            return
        try:
            with tempfile.TemporaryDirectory(prefix="mnist_seq-") as scratch:
                _send(item, found.get(item.identity.id), Path(scratch), limits)
        except Exception as error:  # the next wave tries again, when the server has had a rest
            item.reason = library.reason(error)
            stopped.append(error)

    mendable = [i for i in items if "of another run" not in i.reason]
    pool = ThreadPoolExecutor(limits.workers)
    try:
        list(pool.map(rebuild, mendable))
    except KeyboardInterrupt:  # a server that has stalled would hold the threads for long
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    _judge(mendable, _look(mendable, limits), "rebuilt")


def _send(item: Item, there: Held | None, scratch: Path, limits: Limits) -> None:
    identity = replace(item.identity, home=scratch)
    tracker = replace(item.tracker, finish=limits.timeout)
    num_there = None if there is None else len(there.steps)
    remote = RemoteRun(tracker, identity, "online", is_live=False, num_there=num_there)
    remote.send(source.rows(item.folder))
    item.is_cut = True
    remote.finish(item.folder, source.ending(item.folder))
    if fault := remote.fault("online"):
        item.url = remote.run.url or ""
        _record(item, "partial", fault)  # the next sync is to know
        raise RuntimeError(fault)
    item.is_cut = False


def _record(item: Item, state: status.State = "synced", reason: str = "") -> None:
    values: dict[str, Any] = {
        "id": item.identity.id, "mode": "online", "url": item.url, "state": state, "reason": reason,
        "project": item.tracker.project, "entity": item.tracker.entity, "tags": item.identity.tags,
    }  # fmt: skip
    if {**status.recorded(item.folder), **values} != status.recorded(item.folder):
        with contextlib.suppress(OSError, ValueError):  # a folder to read alone
            status.record(item.folder, status.Status(**values))
    if state == "synced":
        offline_file.mark_synced(item.identity.home, item.identity.id)
