"""Who tells the mirror of runs: a run of its own, or the process of a sweep for all of them."""

from pathlib import Path
from typing import Any, Protocol

from mnist_seq.config import Config, plain
from mnist_seq.config.schema import WandB
from mnist_seq.runs.events import Ended, Listener, Row, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb.desk import Desk
from mnist_seq.tracking.wandb.mode import is_disabled
from mnist_seq.tracking.wandb.source import INTERRUPTED, Tracker, is_in_sweep

_EXIT_CODES = {"finished": 0, "diverged": 0, "failed": 1, "interrupted": INTERRUPTED}

_is_left_to_the_sweep = False


def leave_to_the_sweep() -> None:
    """The process that launched this one mirrors the run, and this one need not."""
    global _is_left_to_the_sweep
    _is_left_to_the_sweep = True


def tracker_of(config: Config) -> Tracker | None:
    """The run's tracker, or None where nothing is mirrored."""
    if not isinstance(config.tracker, WandB):
        return None
    tracker = Tracker.read(plain(config)["tracker"])
    return None if is_disabled(tracker) else tracker


def open_tracker(config: Config, folder: RunFolder) -> Listener:
    """The mirror of a run; a Listener that does nothing where somebody else mirrors, or nobody."""
    tracker = tracker_of(config)
    if tracker is None or _is_left_to_the_sweep:
        return Listener()
    return RunMirror(tracker, folder)


class RunMirror(Listener):
    """The W&B mirror of one run.

    No fault of W&B reaches the run: it is one warning, and a state in run.json.
    """

    def __init__(self, tracker: Tracker, folder: RunFolder) -> None:
        self._tracker, self._folder = tracker, folder.path.resolve()
        self._desk: Desk | None = None

    def started(self, event: Started) -> None:
        self._desk = Desk(
            self._folder, finish=self._tracker.finish, is_sweep=is_in_sweep(RunFolder(self._folder))
        )
        self._desk.start(self._folder, event, [])

    def evaluated(self, row: Row) -> None:
        if self._desk is not None:
            self._desk.look(self._folder)

    def ended(self, event: Ended) -> None:
        if self._desk is not None:
            self._desk.end(self._folder, event)
            self._desk.close()
            self._desk = None


class Job(Protocol):
    """A job of a sweep, as far as its mirror is concerned."""

    @property
    def folder(self) -> RunFolder: ...


class Outcome(Protocol):
    """How a job of a sweep ended."""

    @property
    def job(self) -> Job: ...
    @property
    def state(self) -> Any: ...
    @property
    def reason(self) -> str: ...


class SweepMirror:
    """The W&B mirror of a sweep's runs, told by whatever works on them (a `View` of the pool).

    Args:
        baselines: config hashes of the runs that others are compared with.
    """

    def __init__(self, desk: Desk, baselines: frozenset[str]) -> None:
        self._desk, self._baselines = desk, baselines
        self._begun: set[Path] = set()

    def started(self, job: Job, slot: int) -> None: ...

    def event(self, job: Job, event: Any) -> None:
        folder = job.folder.path.resolve()
        if isinstance(event, Started):
            self._begin(job.folder, event)
        elif isinstance(event, dict):
            if folder not in self._begun:  # an engine tells of rows alone
                self._begin(job.folder, None)
            self._desk.look(folder)

    def ended(self, outcome: Outcome, *, is_retried: bool) -> None:
        if is_retried:  # goes on with the run that is open in W&B
            return
        folder = outcome.job.folder
        if folder.path.resolve() not in self._begun and folder.record_path.exists():
            self._begin(folder, None)  # it failed before its first step
        said = Ended(outcome.state, _EXIT_CODES[outcome.state], outcome.reason)
        self._desk.end(folder.path.resolve(), said)
        self._begun.discard(folder.path.resolve())

    def stopping(self, reason: str) -> None: ...

    def _begin(self, folder: RunFolder, event: Started | None) -> None:
        self._begun.add(folder.path.resolve())
        try:
            is_baseline = folder.record().get("config_hash") in self._baselines
        except (OSError, ValueError):
            return  # a run without a record is none
        self._desk.start(folder.path.resolve(), event, ["baseline"] if is_baseline else [])
