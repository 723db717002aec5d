"""Reads and writes a sweep folder: its runs, its ledger, its lock.

<run>/            one folder per run
ledger.jsonl      one line per change of a run's state
plan.json         what was planned before the first run, and each later change of it
decisions.jsonl   of sweep.until=decided: when each arm ended, and why
multirun.yaml     the config and the overrides of the last command
.lock             locked by the command that works on the sweep
.stale/           runs that a rerun has replaced
"""

import contextlib
import datetime
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from mnist_seq.runs import files
from mnist_seq.runs.disk import limits, parsing
from mnist_seq.runs.disk.kill_points import reached
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.lock import HOLDER, LOCK, locked

Change = Literal[
    "planned",
    "reused",
    "submitted",
    "started",
    "finished",
    "failed",
    "diverged",
    "interrupted",
    "retried",
    "resubmitted",
]

SWEEPS = Path("outputs/sweeps")  # where conf/train.yaml puts a sweep by its name


class SweepFolder:
    """One sweep on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger_path = path / "ledger.jsonl"
        self.plan_path = path / "plan.json"
        self.decisions_path = path / "decisions.jsonl"
        self.config_path = path / "multirun.yaml"
        self.stale_path = path / ".stale"

    def run(self, name: str) -> RunFolder:
        """The folder of one run."""
        return RunFolder(self.path / name)

    def runs(self) -> list[RunFolder]:
        """Runs that have begun in this sweep, without those that were set aside."""
        found = (RunFolder(record.parent) for record in sorted(self.path.glob("*/run.json")))
        return [run for run in found if run.path != self.stale_path]

    def note(self, change: Change, run: str, **facts: Any) -> None:
        """Append one change of state to the ledger."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        files.append_line(self.ledger_path, {"time": now, "run": run, "change": change, **facts})

    def ledger(self) -> list[dict[str, Any]]:
        """All changes so far, oldest first, without a torn last line."""
        return files.lines(self.ledger_path).rows

    def plans(self) -> list[dict[str, Any]]:
        """The plans of this sweep, the first one first; none in sweeps of older versions.

        Raises:
            ValueError: plan.json is damaged.
            OSError: plan.json cannot be read.
        """
        try:
            plans = files.read_json(self.plan_path).get("plans")
        except FileNotFoundError:
            return []
        if not isinstance(plans, list) or not all(isinstance(plan, dict) for plan in plans):
            raise ValueError(f"{self.plan_path} must hold a list of plans; put it back from a copy")
        return plans

    def add_plan(self, plan: Mapping[str, Any]) -> None:
        """Append a plan. Earlier ones stay: what was declared before the first run is never lost.

        Raises:
            ValueError: plan.json is damaged.
        """
        files.inside(self.path, self.plan_path.name)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        plans = [*self.plans(), {"time": now, **plan}]
        files.write_json(self.plan_path, {"plans": plans})

    def note_decision(self, arm: str, word: str, **facts: Any) -> None:
        """Append how an arm of `sweep.until=decided` has ended."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        row = {"time": now, "arm": arm, "word": word, **facts}
        files.append_line(self.decisions_path, row)

    def decisions(self) -> list[dict[str, Any]]:
        """How arms have ended so far, oldest first."""
        return files.lines(self.decisions_path).rows

    def sampler(self) -> str:
        """The sampler of a search, such as "random"; "" if the sweep was no search.

        Raises:
            ValueError: multirun.yaml is damaged.
        """
        try:
            content = limits.read_bytes(self.config_path)
            if b"sampler:" not in content:  # saves the slow parse: most sweeps are grids
                return ""
            found = parsing.select(parsing.from_yaml(content), "hydra.sweeper.sampler")
            if isinstance(found, Mapping):  # of Hydra's own sweeper for Optuna
                found = str(found.get("_target_", "")).rpartition(".")[2]
            if found is None or re.fullmatch(r"[\w.-]{0,100}", str(found)):
                return "" if found is None else str(found)
            raise ValueError(f"hydra.sweeper.sampler is no name: {found!r:.100}")
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{self.config_path} must hold the config of the sweep's last command: "
                f"{' '.join(str(error).split())}; the same sweep command writes it anew"
            ) from error

    def is_search(self) -> bool:
        """Whether Optuna keeps a study here, or the last command was a search.

        Raises:
            ValueError: multirun.yaml is damaged.
        """
        return any(self.path.glob("optuna.*")) or bool(self.sampler())

    def set_aside(self, run: RunFolder) -> Path:
        """Move a run into .stale/, so that another run can have its name. Nothing is deleted."""
        stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
        target = files.make_folder(self.path, self.stale_path.name) / f"{run.path.name}_{stamp}"
        shutil.move(run.path, target)
        reached("run: set aside")
        return target

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the sweep for one command. A new folder is removed if the command ends before a run.

        Raises:
            FolderLocked: another process is at work on this sweep.
        """
        is_new = not self.path.exists()
        with locked(self.path, what="a sweep"):
            try:
                yield
            except BaseException:
                if is_new and {path.name for path in self.path.iterdir()} <= {LOCK, HOLDER}:
                    shutil.rmtree(self.path, ignore_errors=True)
                raise


def expanded(path: str | Path) -> Path:
    """A path with "~" replaced: a shell does not expand it in `sweep=~/x`."""
    return Path(os.path.expanduser(path))


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made, or in which no file can be made; leaves nothing there.

    Raises:
        OSError: names the folder.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error
    finally:
        for path in missing:
            with contextlib.suppress(OSError):
                path.rmdir()


def no_folder(source: Path) -> str:
    """The error text for a sweep folder that does not exist, with folders that may be meant."""
    near: list[str] = []
    with contextlib.suppress(OSError):
        folders = (path.name for path in source.parent.iterdir() if path.is_dir())
        near = sorted(name for name in folders if not name.startswith("."))
    hint = f"{source.parent} holds {', '.join(near[:10])}" if near else "see outputs/sweeps"
    if (SWEEPS / source).is_dir():
        hint = f"write sweep={SWEEPS / source}"
    return f"sweep must be a folder that exists: sweep={source}; {hint}"
