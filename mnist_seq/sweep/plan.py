"""What a sweep has to do, found out before anything runs."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mnist_seq.config import Config, identity
from mnist_seq.config.parse import parse
from mnist_seq.runs import provenance
from mnist_seq.runs.errors import StaleRun
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.stale import differing_keys
from mnist_seq.runs.sweep_folder import SweepFolder

Action = Literal["run", "resume", "retry", "rerun", "reuse"]
Stale = Literal["error", "rerun", "keep"]

MAX_NAME = 200  # bytes; file systems take 255, and temporary names are longer than their files'


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep, and what is to be done about it."""

    overrides: tuple[str, ...]
    folder: RunFolder
    config: Config
    identity: str  # over the config and the data
    action: Action = "run"
    is_baseline: bool = False  # added, because the comparison needs it

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.path.name


@dataclass
class Plan:
    """All runs of a sweep, those that are done included."""

    folder: SweepFolder
    runs: list[PlannedRun]
    swept: list[str]
    notices: list[str] = field(default_factory=list)

    @property
    def todo(self) -> list[PlannedRun]:
        """Runs that must be launched."""
        return [run for run in self.runs if run.action != "reuse"]


Prepare = Callable[[Config], tuple[Config, str, str]]


class Planner:
    """Turns overrides into planned runs of one sweep folder.

    Args:
        values: a run's composed config as plain values, from its overrides.
        prepare: finds a config's data; returns the config with the data's real name, the data's
            fingerprint and a notice to announce.
    """

    def __init__(
        self,
        folder: SweepFolder,
        *,
        values: Callable[[Sequence[str]], Mapping[str, Any]],
        prepare: Prepare,
        swept: Sequence[str],
    ) -> None:
        self.folder, self.swept = folder, list(swept)
        self._values, self._prepare = values, prepare
        self.notices: dict[str, None] = {}
        self._on_disk = {_recorded_identity(run): run for run in folder.runs()}
        self._taken = {run.path.name for run in folder.runs()}

    def plan(
        self, jobs: Sequence[tuple[str, ...]], *, is_baseline: bool = False
    ) -> list[PlannedRun]:
        """Planned runs without an action, one for each different config."""
        found: dict[str, PlannedRun] = {}
        for words in jobs:
            run = self.planned(words, is_baseline=is_baseline)
            found.setdefault(run.identity, run)
        return list(found.values())

    def planned(self, words: tuple[str, ...], *, is_baseline: bool = False) -> PlannedRun:
        """One run from its overrides.

        Raises:
            ConfigError: the config is impossible.
        """
        config, fingerprint, notice = self._prepare(parse(self._values(words)))
        if notice:
            self.notices[notice] = None
        name = run_name(words, self.swept)
        key = f"{identity(config)}/{fingerprint}"
        # A run keeps its folder when the grid around it changes, and its name with it
        folder = self._on_disk.get(key) or self.folder.run(name)
        return PlannedRun(words, folder, config, key, is_baseline=is_baseline)

    def decide(self, runs: Sequence[PlannedRun], stale: Stale) -> list[PlannedRun]:
        """Give every run its action, by what lies on the disk.

        Raises:
            StaleRun: folders hold other runs, and `stale` is "error"; all of them are named.
        """
        decided, refused = [], []
        for run in runs:
            reason = self._stale(run)
            if not reason:
                decided.append(replace(run, action=_action(run.folder)))
            elif stale == "rerun":
                decided.append(replace(run, action="rerun"))
            elif stale == "keep":
                decided.append(replace(run, action="reuse"))
            else:
                refused.append(f"{run.name} ({reason})")
        if refused:
            shown = "; ".join(refused[:5]) + (
                f"; and {len(refused) - 5} more" if refused[5:] else ""
            )
            raise StaleRun(
                f"{len(refused)} run{'s' * (len(refused) > 1)} of {self.folder.path} stand for "
                f"something else than what is asked now: {shown}; write sweep.stale=rerun to run "
                "them anew, sweep.stale=keep to take them as they are, or another sweep.name"
            )
        return decided

    def _stale(self, run: PlannedRun) -> str:
        """Why a folder does not hold the run asked for, or "" where it does or is free."""
        if not run.folder.record_path.exists():
            return ""
        record = run.folder.record()
        if _recorded_identity(run.folder) != run.identity:
            from mnist_seq.config import plain

            keys = differing_keys(record.get("config", {}), plain(run.config))
            return ", ".join(keys) or "other data"
        now = provenance.code()["hash"]
        was = record.get("code", {}).get("hash", now)
        return "" if was == now else f"code {was[:8]}, now {now[:8]}"


def run_name(words: Sequence[str], swept: Sequence[str]) -> str:
    """Folder name of a run: its swept overrides, in the command's order.

    A name too long for a file system is cut, and made unique by a hash of the whole.
    """
    parts = [word for word in words if word.partition("=")[0] in swept]
    name = ",".join(parts).replace("/", "_").replace("\\", "_").lstrip(".") or "run"
    if len(name.encode()) > MAX_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:10]
        cut = name.encode()[: MAX_NAME - 11].decode(errors="ignore")
        name = f"{cut}-{digest}"
    return name


def _recorded_identity(folder: RunFolder) -> str:
    try:
        record = folder.record()
        return f"{record['config_hash']}/{record['data']['fingerprint']}"
    except (ValueError, KeyError, TypeError, OSError):
        return f"unreadable/{folder.path}"


def _action(folder: RunFolder) -> Action:
    match folder.state():
        case "finished" | "diverged":
            return "reuse"
        case "failed":
            return "retry"
        case "interrupted":
            return "resume"
        case _:
            return "run"
