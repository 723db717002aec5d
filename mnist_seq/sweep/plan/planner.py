"""Plans a sweep: names its runs, and decides for each whether it must be trained."""

import functools
import hashlib
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mnist_seq import system
from mnist_seq.config import Config, ConfigError, plain
from mnist_seq.config.identity import left_out
from mnist_seq.config.parse import check_words
from mnist_seq.config.paths import options
from mnist_seq.config.words import key_of, without_plus
from mnist_seq.runs import code_identity
from mnist_seq.runs.errors import StaleRun
from mnist_seq.runs.folder import FolderState, RunFolder
from mnist_seq.runs.stale import differing_keys
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.text import plural
from mnist_seq.sweep.plan.kernels import Kernels
from mnist_seq.sweep.plan.variant import Variant, Variants
from mnist_seq.sweep.pool.failures import state_of
from mnist_seq.training.job import Located
from mnist_seq.training.preflight.origin import with_recorded
from mnist_seq.training.preflight.prepare import Prepared, prepare

Action = Literal["run", "resume", "retry", "rerun", "reuse"]
Stale = Literal["error", "rerun", "keep"]

MAX_NAME = 200  # bytes; file systems allow 255, and names of temporary files are longer
_MIN_NAME, _IN_A_RUN = 30, 45  # bytes; of the longest path in a run, with its slashes


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep, ready to train, with its action.

    Attributes:
        overrides: overrides of this run, without those of the sweep.
        config: checked config, with `model.hidden` solved.
        variant: of the runs that differ from it in their seed alone; it has the data.
        identity: hash over the config and the data.
        is_baseline: whether the plan added it because a comparison needs it.
    """

    overrides: tuple[str, ...]
    folder: RunFolder
    config: Config
    variant: Variant
    identity: str
    action: Action = "run"
    is_baseline: bool = False

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.path.name

    @property
    def located(self) -> Located:
        """Its data."""
        return self.variant.prepared.located


@dataclass
class Plan:
    """All runs of a sweep, including those that are done.

    Attributes:
        where: filter of `compare` that keeps them, where the folder has others too.
        is_at_most: whether some of them may turn out not to be needed.
    """

    folder: SweepFolder
    runs: list[PlannedRun]
    swept: list[str]
    notices: list[str] = field(default_factory=list)
    where: str = "all"
    is_at_most: bool = False

    @property
    def todo(self) -> list[PlannedRun]:
        """Runs that must be launched."""
        return [run for run in self.runs if run.action != "reuse"]


class Planner:
    """Turns overrides into planned runs of one sweep folder.

    Args:
        values: overrides -> the composed config as plain values.
        check: plain values -> the checked config.
        prepare: config -> the config with its size solved, and the located data.
        options: group -> names of its options.
        why_torch: why runs that leave `device.kernel` open go by torch, or "".
    """

    def __init__(
        self,
        folder: SweepFolder,
        *,
        values: Callable[[Sequence[str]], Mapping[str, Any]],
        check: Callable[[Mapping[str, Any]], Config],
        prepare: Callable[[Config], Prepared] = prepare,
        options: Callable[[str], Sequence[str]] = options,
        swept: Sequence[str],
        why_torch: str = "",
    ) -> None:
        self._options = functools.cache(options)
        self.folder, self.swept = folder, list(swept)
        begun = functools.cache(folder.runs)
        self._values = values
        self._variants = Variants(lambda given: with_recorded(check(given), begun()), prepare)
        self._checked: set[tuple[str, ...]] = set()
        self.notices: dict[str, None] = {}
        self._on_disk = {_recorded_identity(run): run for run in folder.runs()}
        self.kernels = Kernels(self._on_disk.values(), why_torch=why_torch)

    def plan(self, jobs: Sequence[tuple[str, ...]]) -> list[PlannedRun]:
        """Planned runs without an action yet, one for each different config."""
        found: dict[str, PlannedRun] = {}
        for words in jobs:
            run = self.planned(words)
            found.setdefault(run.identity, run)
        return list(found.values())

    def planned(
        self,
        words: tuple[str, ...],
        *,
        is_baseline: bool = False,
        also_named: Sequence[str] = (),
    ) -> PlannedRun:
        """One run from its overrides.

        Args:
            also_named: keys that are part of its name, in addition to the swept ones.

        Raises:
            ConfigError: the config is impossible.
        """
        without_seed = tuple(word for word in words if key_of(word) != "seed")
        if without_seed not in self._checked:
            check_words(words, options=self._options)
            self._checked.add(without_seed)
        variant, seed = self._variants.of(self._values(words))
        variant = self.kernels.settled(variant, seed)
        if notice := variant.prepared.located.notice:
            self.notices[notice] = None
        most = longest_name(self.folder.path)
        name = run_name(words, {*self.swept, *also_named}, most=most)
        key = variant.identity(seed)
        # a run keeps its folder and its name when the grid around it changes
        folder = self._on_disk.get(key) or self.folder.run(name)
        return PlannedRun(
            words, folder, variant.config(seed), variant, key, is_baseline=is_baseline
        )

    def decide(self, runs: Sequence[PlannedRun], stale: Stale) -> list[PlannedRun]:
        """Give every run its action, by what is on the disk.

        Raises:
            StaleRun: folders hold other runs, and `stale` is "error"; the message names all.
        """
        decided, refused = [], []
        there = set(os.listdir(self.folder.path)) if self.folder.path.is_dir() else set()
        for run in self._in_own_folders(runs):
            if run.name not in there:  # without a look at each of its files
                decided.append(run)
                continue
            reason = _staleness(run)
            state, _ = state_of(run.folder)
            if not reason:
                decided.append(replace(run, action=_ACTIONS[state]))
            elif stale == "error":
                refused.append(f"{run.name} ({reason})")
            elif stale == "keep" and state in ("finished", "diverged") and not _is_damaged(run):
                decided.append(replace(run, action="reuse"))
            else:  # an unfinished run of other code or another config cannot be resumed
                decided.append(replace(run, action="rerun"))
        if refused:
            shown = "; ".join(refused[:5]) + (
                f"; and {len(refused) - 5} more" if refused[5:] else ""
            )
            raise StaleRun(
                f"{plural(len(refused), 'run')} of {self.folder.path} "
                f"stand{'s' * (len(refused) == 1)} for something else than what is asked "
                f"now: {shown}; write sweep.stale=keep to take finished ones as they are, "
                "sweep.stale=rerun to run them anew, or another sweep.name"
            )
        return decided

    def _in_own_folders(self, runs: Sequence[PlannedRun]) -> list[PlannedRun]:
        """Give another folder to a run that has the same name as another run of this plan."""
        owners = {
            _same(self._on_disk[run.identity].path): run.identity
            for run in runs
            if run.identity in self._on_disk
        }
        settled = []
        for run in runs:
            if owners.setdefault(_same(run.folder.path), run.identity) != run.identity:
                digest = hashlib.sha256(run.identity.encode()).hexdigest()[:10]
                run = replace(run, folder=self.folder.run(f"{run.name}-{digest}"))
            settled.append(run)
        return settled


def _same(folder: Path) -> str:
    """Equal for the paths that mean one folder on this system."""
    return str(folder).casefold() if system.IGNORES_CASE else str(folder)


def longest_name(sweep: Path, *, longest_path: int = system.LONGEST_PATH) -> int:
    """The most bytes of a run's name, so that the system takes the paths of its files.

    Raises:
        ConfigError: the sweep's folder leaves too few.
    """
    most = min(MAX_NAME, longest_path - len(str(sweep.absolute())) - _IN_A_RUN)
    if most < _MIN_NAME:
        raise ConfigError(
            f"{sweep.absolute()} must be shorter: this system takes {longest_path} characters of a "
            "path, and too few are left for the names of runs; choose hydra.sweep.dir=<short path>"
        )
    return most


# characters that a file system refuses, that a shell or terminal interprets, or that hide a folder
_UNSAFE = re.compile(
    r"[/\\<>:\"|?*`$;&!\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|^[.]|[. ]$"
)


def run_name(words: Sequence[str], keys: Collection[str], *, most: int = MAX_NAME) -> str:
    """Folder name of a run: its overrides of these keys, in the order of the command.

    A name that a file system or an interpolation does not allow is changed, and a hash of the
    original makes it unique.

    Args:
        most: bytes.
    """
    whole = ",".join(without_plus(word) for word in words if key_of(word) in keys) or "run"
    name = _UNSAFE.sub("_", whole)
    name = name.encode(errors="replace")[:most].decode(errors="ignore")
    if name == whole:
        return name
    digest = hashlib.sha256(whole.encode(errors="replace")).hexdigest()[:10]
    return f"{name.encode()[: most - 11].decode(errors='ignore')}-{digest}"


def _staleness(run: PlannedRun) -> str:
    """Why a folder holds another run than the planned one; "" if it holds that run or none."""
    if not run.folder.has_begun():
        return ""
    if _is_damaged(run):
        return "its run.json or result.json is damaged"
    record = run.folder.record()
    if _recorded_identity(run.folder) != run.identity:
        keys = differing_keys(record["config"], plain(run.config), left_out(run.config))
        return ", ".join(keys) or "other data"
    return code_identity.difference(record["code"], run.config)


def _is_damaged(run: PlannedRun) -> bool:
    _, damage = state_of(run.folder)
    try:
        record = run.folder.record()
        is_whole = {"config_hash", "config", "data", "code"} <= record.keys()
        return bool(damage) or not is_whole or "hash" not in record["code"]
    except (ValueError, OSError, TypeError):
        return True


def _recorded_identity(folder: RunFolder) -> str:
    try:
        record = folder.record()
        return f"{record['config_hash']}/{record['data']['fingerprint']}"
    except (ValueError, KeyError, TypeError, OSError):
        return f"unreadable/{folder.path}"


_ACTIONS: dict[FolderState, Action] = {
    "finished": "reuse",
    "diverged": "reuse",
    "failed": "retry",
    "interrupted": "resume",
    "absent": "run",
}
