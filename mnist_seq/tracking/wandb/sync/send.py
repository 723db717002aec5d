"""Sends to W&B the runs that it lacks or has only in part."""

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
from typing import Any

from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb import package
from mnist_seq.tracking.wandb.run import contents, offline_file, status
from mnist_seq.tracking.wandb.run.remote_run import RemoteRun
from mnist_seq.tracking.wandb.sync import server_state
from mnist_seq.tracking.wandb.sync.item import How, Item
from mnist_seq.tracking.wandb.sync.server_state import ServerRun

REPLAY_BATCH = 20  # files for one call of `wandb sync`, whose start takes a second
REPLAY_WORKERS = 5  # files that `wandb sync` sends at once: its default
REPLAY_START_S = 10.0  # for its start on a busy machine
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0

_WITHOUT_RESULT = ("failed", "interrupted")


@dataclass(frozen=True)
class Limits:
    """How hard to try.

    Attributes:
        workers: number of runs that are sent at once.
        tries: number of rounds; the pause between two rounds doubles.
        timeout: seconds that the server gets to answer, and to accept the end of a run.
    """

    workers: int = 4
    tries: int = 5
    timeout: float = 30.0


def send_runs(items: Sequence[Item], limits: Limits, tell: Callable[[Item], None]) -> None:
    """Send runs to W&B: replay complete offline files, rebuild the others, then ask the server.

    May be interrupted at any point and repeated: it first asks what the server has, and sends only
    what is missing.

    Args:
        tell: called once for each run that is complete or given up; by one thread.
    """
    pause = FIRST_PAUSE_S
    reported: set[int] = set()
    for attempt in range(limits.tries):
        todo = [item for item in items if item.how == "missing"]
        if not todo:
            break
        if attempt:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
            package.restart()  # frees the ids of runs that failed to open
        _try_once(todo, limits)
        for item in todo:
            if item.how != "missing":
                reported.add(id(item))
                tell(item)
    for item in items:
        if id(item) not in reported and item.how == "missing":
            tell(item)


def _try_once(todo: Sequence[Item], limits: Limits) -> None:
    """One round over all runs; the first failure of the server ends it."""
    try:
        found = _fetch(todo, limits)
        _judge(todo, found, "there")
        absent = [i for i in todo if i.how == "missing" and i.identity.id not in found]
        whole = [(item, path) for item in absent if (path := _whole_file(item)) is not None]
        if whole:
            _replay(whole, limits)
            replayed = [item for item, _ in whole]
            found |= _fetch(replayed, limits)
            _judge(replayed, found, "replayed")
        _rebuild([item for item in todo if item.how == "missing"], found, limits)
    except Exception as error:  # wandb raises many types; the next round asks again
        for item in todo:
            if item.how == "missing":
                item.reason = item.reason or package.reason(error)


def _fetch(items: Sequence[Item], limits: Limits) -> dict[str, ServerRun]:
    return server_state.fetch([(i.project, i.identity.id) for i in items], timeout=limits.timeout)


def _judge(items: Sequence[Item], found: dict[str, ServerRun], how: How) -> None:
    """Mark the runs that the server has completely, here and in their folders."""
    for item in items:
        there = found.get(item.identity.id)
        if there is None:
            continue
        before, item.reason = item.reason, what_is_missing(item.folder, there)
        if item.may_lack_files:
            item.reason = item.reason or before or "its files may not have got through"
        if not item.reason:
            item.how, item.url, item.entity = how, there.url, there.entity
            _record(item)


def what_is_missing(folder: RunFolder, there: ServerRun) -> str:
    """What the server lacks of a run, in words; "" where it has all of it."""
    steps = [int(row["step"]) for row in contents.rows(folder)]
    if there.steps != steps:
        if there.steps != steps[: len(there.steps)]:
            return (
                f"the server holds rows of another run (steps {there.steps[:3]}..., here "
                f"{steps[:3]}...): delete {there.url} there, and sync again"
            )
        return f"the server has {len(there.steps)} of {len(steps)} rows"
    end = contents.ending(folder)
    said = there.summary.get("state")
    if end.exit_code:  # failed or interrupted: the mirror knew which, the folder may not
        is_same = there.state in ("failed", "crashed", "killed") and said in _WITHOUT_RESULT
        return "" if is_same else f"the server says {there.state}, and the run is {end.state}"
    if there.state != "finished" or said != end.state:
        return f"the server says {there.state} ({said}), and the run is {end.state}"
    if (reason := there.summary.get("reason", "")) != end.reason:
        return f"the server says {reason!r}, and the run {end.reason!r}"
    samples = ["samples"] if contents.samples(folder) is not None else []
    wanted = [*contents.summary(folder, end), *samples]
    missing = [key for key in wanted if key not in (*there.summary, "reason")]
    return f"the server lacks {', '.join(missing)}" if missing else ""


def _whole_file(item: Item) -> Path | None:
    num_rows = len(contents.rows(item.folder))
    for path in offline_file.files_of(item.identity.files, item.identity.id)[-1:]:
        if not path.with_suffix(".wandb.synced").exists() and offline_file.is_whole(
            path, num_rows=num_rows
        ):
            return path
    return None


def _replay(files: Sequence[tuple[Item, Path]], limits: Limits) -> None:
    """Send offline files by `wandb sync`. The server and its log show what arrived."""
    by_place: dict[tuple[str, str], list[tuple[Item, Path]]] = {}
    for item, path in files:
        by_place.setdefault((item.settings.project, item.settings.entity), []).append((item, path))
    for own in by_place.values():
        for start in range(0, len(own), REPLAY_BATCH):
            with tempfile.TemporaryDirectory(prefix="mnist_seq-") as scratch:
                _replay_batch(own[start : start + REPLAY_BATCH], Path(scratch), limits)


def _replay_batch(files: Sequence[tuple[Item, Path]], scratch: Path, limits: Limits) -> None:
    """Send runs of one project. `_rebuild` sends again the files that the server refused."""
    for item, _ in files:
        item.may_lack_files = True
        _record(item, "partial", "its files may not have got through")  # holds if we are killed
    settings = files[0][0].settings  # the project in the file may be another one
    entity = ["-e", settings.entity] if settings.entity != "default" else []
    place = ["-p", settings.project, *entity]
    num_rounds = math.ceil(len(files) / REPLAY_WORKERS)
    (scratch / "wandb").mkdir()  # for its logs; without it one goes to the temporary files
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
        fault = next((fault for log in logs if (fault := package.fault_in(log, run_id))), "")
        is_through = path.with_suffix(".wandb.synced").exists()
        item.reason = fault
        item.may_lack_files = not logs or bool(fault) or not is_through


def _rebuild(items: Sequence[Item], found: dict[str, ServerRun], limits: Limits) -> None:
    """Send what the server lacks of each run, from its folder."""
    stopped: list[Exception] = []

    def rebuild(item: Item) -> None:
        if stopped:
            return
        try:
            with tempfile.TemporaryDirectory(prefix="mnist_seq-") as scratch:
                _send(item, found.get(item.identity.id), Path(scratch), limits)
        except Exception as error:  # the next round tries again, after a pause
            item.reason = package.reason(error)
            stopped.append(error)

    mendable = [i for i in items if "of another run" not in i.reason]
    pool = ThreadPoolExecutor(limits.workers)
    try:
        list(pool.map(rebuild, mendable))
    except KeyboardInterrupt:  # the threads may be waiting for a stalled server
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    _judge(mendable, _fetch(mendable, limits), "rebuilt")


def _send(item: Item, there: ServerRun | None, scratch: Path, limits: Limits) -> None:
    identity = replace(item.identity, home=scratch, files=scratch)
    settings = replace(item.settings, finish=limits.timeout)
    num_there = None if there is None else len(there.steps)
    remote = RemoteRun(settings, identity, "online", is_live=False, num_there=num_there)
    remote.send(contents.rows(item.folder))
    item.may_lack_files = True
    remote.finish(item.folder, contents.ending(item.folder))
    if fault := remote.fault("online"):
        item.url = remote.run.url or ""
        _record(item, "partial", fault)  # tells the next sync
        raise RuntimeError(fault)
    item.may_lack_files = False


def _record(item: Item, state: status.State = "synced", reason: str = "") -> None:
    values: dict[str, Any] = {
        "id": item.identity.id, "mode": "online", "url": item.url, "state": state, "reason": reason,
        "project": item.settings.project, "entity": item.entity or item.settings.entity,
        "tags": item.identity.tags, "variables": item.held,
    }  # fmt: skip
    if {**status.recorded(item.folder), **values} != status.recorded(item.folder):
        with contextlib.suppress(OSError, ValueError):  # a read-only folder
            status.record(item.folder, status.Status(**values))
    if state == "synced":
        offline_file.mark_synced(item.identity.files, item.identity.id)
