"""Passes the events of a pool's runs on to the trackers that work for whole sweeps."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from mnist_seq.config import Config
from mnist_seq.runs.events import Ended, Listener, Progress, Started, Warned, tell_all
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.text import one_line
from mnist_seq.tracking import OpenRun, Sweep, Tell, kind_of, tracker_of

# Exit code of a run that was stopped by an unknown signal: that of SIGINT
INTERRUPTED = 130
_EXIT_CODES = {"finished": 0, "diverged": 0, "failed": 1, "interrupted": INTERRUPTED}


class Job(Protocol):
    """What trackers need of a job of a pool."""

    @property
    def folder(self) -> RunFolder: ...


class Outcome(Protocol):
    """How a job of a pool ended."""

    @property
    def job(self) -> Job: ...
    @property
    def state(self) -> Any: ...
    @property
    def reason(self) -> str: ...


class SweepView:
    """A view of a pool that passes the events of each run on to its tracker.

    Args:
        openers: by the name of a tracker, the function that begins to track a run.
        tell: shows a line to the user.
    """

    def __init__(self, openers: Mapping[str, OpenRun], tell: Tell) -> None:
        self._openers, self._tell = openers, tell
        self._listeners: dict[Path, list[Listener]] = {}
        self._warned: set[str] = set()

    def started(self, job: Job, slot: int) -> None: ...

    def event(self, job: Job, event: Any) -> None:
        """Pass on an event of a run: a `Started`, a `Progress`, a row or a `Warned`."""
        if isinstance(event, Warned):
            self._warn(job.folder, event)
            return
        if not isinstance(event, Started | Progress | dict):
            return
        listeners = self._of(job.folder)
        if isinstance(event, Started):
            tell_all(listeners, lambda listener: listener.started(event), warn=self._warn_here)
        elif isinstance(event, Progress):
            tell_all(listeners, lambda listener: listener.progressed(event), warn=self._warn_here)
        else:
            tell_all(listeners, lambda listener: listener.evaluated(event), warn=self._warn_here)

    def ended(self, outcome: Outcome, *, is_retried: bool) -> None:
        """Pass on how a run ended; one that is tried again goes on with its listener."""
        if is_retried:
            return
        listeners = self._of(outcome.job.folder)
        end = Ended(outcome.state, _EXIT_CODES[outcome.state], outcome.reason)
        tell_all(listeners, lambda listener: listener.ended(end), warn=self._warn_here)
        self._listeners.pop(outcome.job.folder.path.resolve(), None)

    def stopping(self, reason: str) -> None: ...

    def _of(self, folder: RunFolder) -> list[Listener]:
        """The run's listeners; none where the run has no record yet, or another kind of tracker."""
        path = folder.path.resolve()
        if path not in self._listeners:
            try:
                name = str(folder.record()["config"]["tracker"]["name"])
            except (OSError, ValueError, KeyError, TypeError):
                return []
            self._listeners[path] = self._opened(name, folder)
        return self._listeners[path]

    def _opened(self, name: str, folder: RunFolder) -> list[Listener]:
        if name not in self._openers:
            return []
        try:
            listener = self._openers[name](folder)
            listener.name = f"tracker={name}"
            return [listener]
        except Exception as error:
            self._warn_here(Warned(f"tracker={name}", one_line(error)))
            return []

    def _warn_here(self, event: Warned) -> None:
        if event.listener not in self._warned:
            self._warned.add(event.listener)
            self._tell(logging.WARNING, event.text)

    def _warn(self, folder: RunFolder, event: Warned) -> None:
        """Show the warning once a sweep: a tracker that fails mostly fails in all runs alike."""
        if event.listener not in self._warned:
            self._warned.add(event.listener)
            self._tell(logging.WARNING, f"{event.text} (in {folder.path.name}; see each log.txt)")


@contextlib.contextmanager
def mirror_sweep(
    configs: Sequence[Config], folder: Path, *, tell: Tell
) -> Iterator[list[SweepView]]:
    """Track the runs of a sweep while the block runs; its end waits for the trackers.

    Args:
        configs: of the runs that are to be launched.
        folder: the sweep's.
        tell: shows a line to the user.

    Yields:
        Views that the sweep's pool must tell of its runs.
    """
    of_tracker: dict[str, list[Config]] = {}
    for config in configs:
        of_tracker.setdefault(config.tracker.name, []).append(config)
    openers: dict[str, OpenRun] = {}
    with contextlib.ExitStack() as stack:
        for name, own in of_tracker.items():
            with _warning(name, tell):
                if kind_of(name).is_for_sweeps:
                    manager = tracker_of(own[0]).open_sweep(Sweep(own, folder, tell))
                    openers[name] = manager.__enter__()
                    stack.push(_closing(name, manager, tell))
        yield [SweepView(openers, tell)]


def tell_of_kept(kept: Sequence[tuple[Config, RunFolder]], folder: Path, *, tell: Tell) -> None:
    """Say which runs that a sweep keeps from before are not where it tracks.

    Args:
        kept: their folders, with the configs that this sweep asks for.
        folder: the sweep's.
    """
    of_tracker: dict[str, list[tuple[Config, RunFolder]]] = {}
    for config, run in kept:
        of_tracker.setdefault(config.tracker.name, []).append((config, run))
    for name, own in of_tracker.items():
        with _warning(name, tell):
            if line := tracker_of(own[0][0]).kept_line([run for _, run in own], folder):
                tell(logging.INFO, line)


@contextlib.contextmanager
def _warning(name: str, tell: Tell) -> Iterator[None]:
    """Let a tracker that raises cost a warning."""
    try:
        yield
    except Exception as error:
        tell(logging.WARNING, Warned(f"tracker={name}", one_line(error)).text)


def _closing(name: str, manager: contextlib.AbstractContextManager[Any], tell: Tell) -> Any:
    def close(*_: object) -> None:
        with _warning(name, tell):
            manager.__exit__(None, None, None)

    return close
