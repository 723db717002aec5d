"""Listeners that pass a run's events on to the mirror process."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_seq.config import Config, identity, parse, plain
from mnist_seq.config.hydra_errors import defaults
from mnist_seq.runs.commands import to_sync
from mnist_seq.runs.events import Ended, Listener, Row, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.text import plural, some
from mnist_seq.runs.variants import BaselineRule, distinct, flat
from mnist_seq.tracking import OpenRun, Sweep, Tell
from mnist_seq.tracking.wandb import variables
from mnist_seq.tracking.wandb.mirror.client import Client
from mnist_seq.tracking.wandb.mode import is_disabled, may_be_online
from mnist_seq.tracking.wandb.run import status
from mnist_seq.tracking.wandb.run.contents import is_in_sweep
from mnist_seq.tracking.wandb.settings import Settings

log = logging.getLogger("mnist_seq.tracking")


def open_run(folder: RunFolder, options: Mapping[str, Any]) -> Listener:
    """Mirror one run by a process of its own; a Listener that does nothing in mode=disabled."""
    settings = Settings.read(options)
    if is_disabled(settings):
        return Listener()
    tell_of_variables(options, is_sweep=is_in_sweep(folder), tell=log.log)
    return LoneRun(settings, folder)


_told: set[str] = set()


def tell_of_variables(options: Mapping[str, Any], *, is_sweep: bool, tell: Tell) -> None:
    """Say which WANDB_ variables hold and which cannot; each line once a process."""
    for line in variables.notices(options, is_sweep=is_sweep):
        if line not in _told:
            _told.add(line)
            tell(logging.INFO, line)


class LoneRun(Listener):
    """A run that has a mirror process to itself."""

    def __init__(self, settings: Settings, folder: RunFolder) -> None:
        self._folder, self._settings = folder.path.resolve(), settings
        self._client: Client | None = Client(
            self._folder, finish=settings.finish, is_sweep=is_in_sweep(folder)
        )

    def started(self, event: Started) -> None:
        if self._client is not None:
            self._client.started(self._folder, event, [])

    def evaluated(self, row: Row) -> None:
        if self._client is not None:
            self._client.evaluated(self._folder)

    def ended(self, event: Ended) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.ended(self._folder, event)
            client.close()
            state = client.states.get(self._folder)
            if state in ("offline", "partial") and may_be_online(self._settings):
                there = "not on the server" if state == "offline" else "on the server in part"
                log.info(f"W&B: the run is {there}; {to_sync(self._folder)} brings it there")


@contextlib.contextmanager
def open_sweep(sweep: Sweep) -> Iterator[OpenRun]:
    """Mirror the runs of a sweep by one process; the end of the block waits for W&B."""
    options = [plain(config)["tracker"] for config in sweep.configs]
    settings = [found for values in options if not is_disabled(found := Settings.read(values))]
    if not settings:
        yield lambda folder: Listener()
        return
    for line in dict.fromkeys(
        line for values in options for line in variables.notices(values, is_sweep=True)
    ):
        sweep.tell(logging.INFO, line)
    finish = max(of_run.finish for of_run in settings)
    client = Client(sweep.folder.resolve(), finish=finish, is_sweep=True, tell=sweep.tell)
    try:
        keys = baselines(sweep.configs, plain(parse(defaults())))
        sweep.tell(logging.INFO, client.choose(settings[0]))
        yield lambda folder: SweepRun(client, folder, keys)
    finally:
        client.close()
        if text := ending_line(client.states, sweep.folder):
            sweep.tell(logging.INFO, text)


class SweepRun(Listener):
    """A run of a sweep, whose runs share a mirror process.

    Args:
        baselines: config hashes of the runs that other runs are compared with.
    """

    def __init__(self, client: Client, folder: RunFolder, baselines: frozenset[str]) -> None:
        self._client, self._folder = client, folder.path.resolve()
        is_baseline = folder.record().get("config_hash") in baselines
        self._tags = ["baseline"] if is_baseline else []
        self._has_begun = False

    def started(self, event: Started) -> None:
        self._begin(event)

    def evaluated(self, row: Row) -> None:
        if not self._has_begun:  # an engine reports evaluations alone
            self._begin(None)
        self._client.evaluated(self._folder)

    def ended(self, event: Ended) -> None:
        if not self._has_begun:  # it failed before its first step
            self._begin(None)
        self._client.ended(self._folder, event)

    def _begin(self, event: Started | None) -> None:
        self._has_begun = True
        self._client.started(self._folder, event, self._tags)


def baselines(configs: Sequence[Config], defaults: Mapping[str, Any]) -> frozenset[str]:
    """Config hashes of the runs that other runs of the sweep are compared with."""
    variants = {identity(config): flat(plain(config)) for config in configs}
    different = distinct(variants.values())
    rule = BaselineRule(different, defaults=flat(defaults))
    return frozenset(
        key
        for key, variant in variants.items()
        if any(other != variant and rule.is_baseline(variant, other) for other in different)
    )


def ending_line(states: Mapping[Path, str], folder: Path) -> str:
    """Which runs are where, and the command that sends the rest; "" where none was mirrored.

    Args:
        states: of the runs, by their folders.
        folder: the sweep's.
    """
    names = {
        state: sorted(path.name for path, its in states.items() if its == state)
        for state in ("synced", "offline", "partial")
    }
    is_mixed = sum(map(bool, names.values())) > 1
    parts = [
        f"{len(found)} {state}" + (f" ({some(found)})" if is_mixed and state != "synced" else "")
        for state, found in names.items()
        if found
    ]
    if not parts:
        return ""
    is_missing = bool(names["offline"] or names["partial"])
    hint = f"; {to_sync(folder)} brings them there" if is_missing else ""
    return f"W&B: {', '.join(parts)}{hint}"


def kept_line(options: Mapping[str, Any], kept: Sequence[RunFolder], folder: Path) -> str:
    """Which runs that a sweep keeps from before W&B lacks, and the command that sends them; or "".

    Args:
        options: the `tracker` group.
        kept: the runs that the sweep does not train again.
        folder: the sweep's.
    """
    held = variables.holding(options, is_sweep=True)
    settings = Settings.read(options, held)
    if not may_be_online(settings):
        return ""
    known = {run.path.name: status.recorded(run) for run in kept}
    absent = [name for name, its in known.items() if its.get("state") != "synced"]
    moved = {n: its.get("project") for n, its in known.items() if n not in absent}
    moved = {name: project for name, project in moved.items() if project != settings.project}
    parts = []
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        runs = plural(len(absent), "reused run")
        parts.append(f"{runs} {verb} not on the server ({some(absent)}); {to_sync(folder)} brings "
                     f"{'it' if len(absent) == 1 else 'them'} there")  # fmt: skip
    if moved:
        verb = "is" if len(moved) == 1 else "are"
        runs = plural(len(moved), "reused run")
        parts.append(f"{runs} {verb} in another project ({some(list(moved))}); {to_sync(folder)} "
                     f"project={settings.project} brings all runs to this one")  # fmt: skip
    return f"W&B: {'; '.join(parts)}" if parts else ""
