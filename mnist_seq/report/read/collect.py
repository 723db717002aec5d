"""Reads run folders; whatever cannot be read is named with its reason, never dropped silently."""

import contextlib
import functools
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.read.run import Run, State, is_number
from mnist_seq.report.read.task_record import TaskRecord
from mnist_seq.runs.folder import RunFolder, find_runs
from mnist_seq.runs.sweep_folder import SweepFolder, expanded, no_folder
from mnist_seq.runs.variants import Flat, flat


@dataclass(frozen=True)
class Skipped:
    """A folder among the runs that is no run, or cannot be read, and why."""

    folder: Path
    reason: str


@dataclass(frozen=True)
class Collected:
    """All that was found: the runs, and what was left aside."""

    sources: tuple[Path, ...]
    runs: tuple[Run, ...]
    skipped: tuple[Skipped, ...]


def collect(sources: Sequence[Path]) -> Collected:
    """Read all runs at or below some folders, each folder once.

    Raises:
        CannotCompare: no folder is given, one is missing or holds no run.
    """
    if not sources:
        raise CannotCompare("a comparison needs the folder of a sweep or run, and none is given")
    sources = [expanded(source) for source in sources]
    void: list[Path] = []
    runs: list[Run] = []
    skipped: list[Skipped] = []
    seen: set[Path] = set()
    for source in sources:
        if not source.is_dir():
            raise CannotCompare(no_folder(source))
        found = [run for run in find_runs(source) if not _is_hidden(run.path, source)]
        void += [] if found else [source]
        for folder in found:
            if folder.path.resolve() in seen:
                continue
            seen.add(folder.path.resolve())
            entry = read_run(folder)
            (runs if isinstance(entry, Run) else skipped).append(entry)  # type: ignore[arg-type]
            skipped.extend(_damaged_parts(entry))
        for other in _others(source, {run.path for run in found}):
            if other.resolve() not in seen:
                seen.add(other.resolve())
                skipped.append(Skipped(other, _why_no_run(other)))
    if void or not runs:
        where = void or sources
        lost = [s for s in skipped if any(s.folder.is_relative_to(source) for source in where)]
        shown = "; ".join(f"{s.folder}: {s.reason}" for s in lost[:5])
        raise CannotCompare(
            f"a comparison needs run folders, and {', '.join(map(str, where))} holds none"
            + (f" that can be read ({shown})" if shown else "")
            + "; train some: python -m mnist_seq.train -m model=lstm,gru seed=0,1,2"
        )
    return Collected(tuple(sources), tuple(runs), tuple(skipped))


def read_run(folder: RunFolder) -> Run | Skipped:
    """Read one folder that has a run.json."""
    try:
        record = folder.record()
        config, data = record["config"], record["data"]
        task = TaskRecord.of(record)
    except (ValueError, OSError) as error:
        return Skipped(folder.path, _short(error, folder.path))
    state, reason, result = _read_result(folder, task)
    return Run(
        folder=folder.path,
        seed=config["seed"],
        state=state,
        reason=reason,
        values={
            **_dotted(config),
            **{f"data.{k}": v for k, v in data.items() if k not in config["data"]},
        },
        variant=flat(config),
        record=record,
        task=task,
        metrics={k: float(v) for k, v in result.get("metrics", {}).items() if v is not None},
        num_params=float(result.get("num_params", math.nan)),
        state_size=_number(result.get("state_size")),
        multiply_adds=_number(result.get("multiply_adds")),
        seconds=float(result.get("seconds", math.nan)),
        updates=_number(result.get("steps")),
        is_stopped_early=bool(result.get("is_stopped_early", False)),
    )


def _number(value: Any) -> float:
    return float(value) if is_number(value) else math.nan


def _read_result(folder: RunFolder, task: TaskRecord) -> tuple[State, str, Mapping[str, Any]]:
    try:
        with contextlib.suppress(FileNotFoundError):
            return _ended(folder.result(), task)
        state = folder.state()
        if state == "failed":
            lines = folder.error().strip().splitlines()
            return "failed", (lines[-1] if lines else "error.txt is empty")[:300], {}
        return "interrupted", _why_interrupted(folder), {}
    except (ValueError, OSError) as error:
        return "unreadable", _short(error, folder.path), {}


def _ended(result: Mapping[str, Any], task: TaskRecord) -> tuple[State, str, Mapping[str, Any]]:
    for name, value in result["metrics"].items():
        if value is not None and task.is_share(name) and not 0 <= value <= 1:
            return "unreadable", f"result.json must have shares from 0 to 1: {name}={value:g}", {}
    state: State = "finished" if result["state"] == "finished" else "diverged"
    return state, str(result.get("reason", "")), result


def _why_interrupted(folder: RunFolder) -> str:
    """What its sweep noted when it let the run go, such as a search that pruned it."""
    ledger = SweepFolder(folder.path.parent).ledger_path
    reasons: Mapping[str, str] = {}
    with contextlib.suppress(OSError):
        stamp = ledger.stat()
        reasons = _interruptions(ledger, stamp.st_mtime_ns, stamp.st_size)
    return reasons.get(folder.path.name) or "no result.json: interrupted, or still running"


@functools.lru_cache(maxsize=8)
def _interruptions(ledger: Path, mtime_ns: int, size: int) -> Mapping[str, str]:
    """Why runs were interrupted last, those left out that have begun again; read once a version."""
    found: dict[str, str] = {}
    for row in SweepFolder(ledger.parent).ledger():
        run, change = str(row.get("run")), row.get("change")
        if change == "interrupted":
            found[run] = str(row.get("reason", ""))
        elif change == "started":
            found.pop(run, None)
    return found


def _damaged_parts(run: Run | Skipped) -> Iterator[Skipped]:
    """Evaluations of a run that has ended which cannot be read: its curves lack them."""
    if isinstance(run, Skipped) or run.state not in ("finished", "diverged"):
        return
    path = RunFolder(run.folder).metrics_path
    try:
        damaged = run.metric_lines.num_damaged
    except (OSError, ValueError) as error:
        yield Skipped(path, f"{_short(error, path)}: no curve")
        return
    if damaged:
        yield Skipped(path, f"lines that are damaged, left out of curves: {damaged}")
    elif run.state == "finished" and not run.history:
        yield Skipped(path, "holds no evaluation: no curve")


def _others(source: Path, runs: set[Path]) -> Iterator[Path]:
    """Topmost folders below `source` that neither are, hold nor belong to a run or a report."""
    above = {parent for run in runs for parent in run.parents} | {source}
    for path, folders, _ in os.walk(source):
        here = Path(path)
        inside = []
        for name in sorted(folders):
            folder = here / name
            if folder in above:
                inside.append(name)
            elif folder not in runs and not name.startswith(".") and not _is_ours(folder):
                yield folder
        folders[:] = [] if here in runs else inside


def _is_hidden(path: Path, source: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(source).parts)


def _is_ours(folder: Path) -> bool:
    """Whether a folder is a report, or W&B's files of the runs beside it."""
    names = ("report.csv", "report.html", "report.md") if folder.name != "wandb" else ("",)
    is_figures_only = folder.name.startswith("report") and (folder / "figures").is_dir()
    return is_figures_only or any((folder / name).exists() for name in names)


def _why_no_run(folder: Path) -> str:
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError as error:
        return _short(error, folder)
    if not names:
        return "empty"
    if all(name == "log.txt" or name.startswith(".lock") for name in names):
        return "stopped before its run began"
    if ".hydra" in names:
        return "half-written: no run.json, so the run never began"
    return "foreign: no run.json"


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Flat:
    found: Flat = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _dotted(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = tuple(value) if isinstance(value, list) else value
    return found


def _short(error: Exception, folder: Path) -> str:
    """An error in one line, without the folder that is named beside it."""
    if isinstance(error, OSError) and error.strerror:
        name = Path(error.filename or "").name
        of = f"{name} " if name and name != folder.name else ""
        return f"{of}cannot be read: {error.strerror.lower()}"
    return " ".join(str(error).replace(f"{folder}{os.sep}", "").split())
