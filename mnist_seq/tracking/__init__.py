"""Trackers: they show runs elsewhere, beside the run folder. `tracker=<name>` chooses one.

A tracker is one YAML, `conf/tracker/<name>.yaml`, and one module or package of the same name in
this folder, which holds one subclass of `Tracker`. Nothing else lists it.

Life of a tracker:

1. `check()` is called in the process of the command, before anything is written. It may refuse the
   config (`ConfigError`), for instance where a package is missing.
2. `open_run(folder)` is called when run.json is written and the first step is about to come. It
   returns a `Listener` (`runs.events`). Its methods are called after the run's files are written:
   - `started(event)`: once. A resumed run has `event.first_step` above 0, and metrics.jsonl holds
     the rows up to that step.
   - `progressed(event)`: between evaluations, at most several times a second.
   - `evaluated(row)`: with the line that was added to metrics.jsonl.
   - `ended(event)`: once. A run that ended as "interrupted" may be resumed later, in another
     process and with a new listener.
3. In a sweep each run has a process of its own (a stack: one process for all its runs), and
   `open_run` is called there. A tracker that needs one process for all runs of a sweep sets
   `is_for_sweeps`. Then `open_sweep(sweep)` is called in the process of the command instead.

Rules:

- An exception costs one warning that names the tracker. The tracker gets no more calls for that run
  (or sweep), and training goes on. Two things pass: `ConfigError` from `check`; signals and
  SystemExit from anywhere.
- The training loop waits for each call. Return at once; leave slow work to a thread or process.
- Read numbers from the run folder, which is the record. It has all rows, also where the tracker was
  off for a while or its process was killed.
- Write to a folder of your own, `<run>/<name>/` or one inside the sweep's folder. Never write to
  the files that `RunFolder` names.
- Draw no number from the random generators of torch, numpy or Python, and change no setting of
  theirs. A tracked run has the numbers of an untracked one.
- Keep keys and tokens out of files and messages.
"""

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mnist_seq.runs.events import Listener, Started
from mnist_seq.runs.folder import RunFolder

if TYPE_CHECKING:
    from mnist_seq.config import Config
    from mnist_seq.runs.events import Ended, Progress, Row

__all__ = [
    "OpenRun",
    "Sweep",
    "Tell",
    "Tracker",
    "check_tracker",
    "leave_to_the_sweep",
    "open_tracker",
]

OpenRun = Callable[[RunFolder], Listener]
Tell = Callable[[int, str], None]  # a level of `logging`, and a line for people

log = logging.getLogger("mnist_seq.tracking")


@dataclass(frozen=True)
class Sweep:
    """A sweep that is about to launch runs.

    Attributes:
        configs: those of its runs that chose this tracker.
        folder: the sweep's.
        tell: shows a line to the user.
    """

    configs: "Sequence[Config]"
    folder: Path
    tell: Tell


class Tracker:
    """One way to track runs. See this package's docstring for the life of a tracker.

    Args:
        options: the values of the `tracker` group, `name` included.

    Attributes:
        is_for_sweeps: a sweep calls `open_sweep` once, and no run of it calls `open_run`.
    """

    is_for_sweeps: ClassVar[bool] = False

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigError: names the key, or the package that must be installed.
        """

    def open_run(self, folder: RunFolder) -> Listener:
        """Begin to track one run, in the process that trains it."""
        raise NotImplementedError

    def open_sweep(self, sweep: Sweep) -> AbstractContextManager[OpenRun]:
        """Track all runs of a sweep from one process, while the block runs.

        The block gets a function that takes the place of `open_run`. Its listeners differ in this:
        a run that is tried again after a failure keeps its listener; `ended` names only the state
        and the reason; with joblib, Ray or Slurm, `started` and `progressed` are not called, since
        evaluations are read from the run's folder.
        """
        raise NotImplementedError

    def kept_line(self, kept: Sequence[RunFolder], sweep: Path) -> str:
        """A line about runs that a sweep keeps from before and that are not where it tracks; or "".

        Called at the end of the sweep, in the process of the command.

        Args:
            kept: the runs that are not trained again.
            sweep: the sweep's folder.
        """
        return ""


def kind_of(name: str) -> type[Tracker]:
    """The class of a tracker.

    Raises:
        ConfigError: there is no module of that name, or it has no such class.
        Exception: whatever the module raises.
    """
    from mnist_seq.config import ConfigError

    try:
        module = importlib.import_module(f"mnist_seq.tracking.{name}")
    except ModuleNotFoundError as error:
        if error.name == f"mnist_seq.tracking.{name}":
            raise ConfigError(
                f"a tracker is a YAML and a module: tracker={name}; write "
                f"mnist_seq/tracking/{name}.py, with a subclass of mnist_seq.tracking.Tracker"
            ) from None
        raise ConfigError(
            f"tracker={name} needs the package {error.name}, which is not installed; "
            f"pip install {error.name}, or choose tracker=none"
        ) from None
    kinds = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Tracker) and value is not Tracker
    ]
    if len(kinds) != 1:
        raise ConfigError(
            f"a tracker's module must hold one subclass of mnist_seq.tracking.Tracker: "
            f"mnist_seq/tracking/{name}.py holds {len(kinds)}"
        )
    (kind,) = kinds
    return kind


def tracker_of(config: "Config") -> Tracker:
    """The tracker that a config chose.

    Raises:
        Exception: of many types, by the tracker's own code.
    """
    from mnist_seq.config import plain

    return kind_of(config.tracker.name)(plain(config)["tracker"])


def check_tracker(config: "Config") -> None:
    """Refuse a config whose tracker cannot work here; nothing is written.

    Raises:
        ConfigError: says what is missing.
    """
    from mnist_seq.config import ConfigError

    try:
        tracker_of(config).check()
    except ConfigError:
        raise
    except Exception as error:  # costs a warning when the run starts, as in the rest of its life
        log.debug("tracker=%s could not be checked: %s", config.tracker.name, error)


_is_left_to_the_sweep = False


def leave_to_the_sweep() -> None:
    """Say that this process works for a sweep: its trackers run in the process of the command."""
    global _is_left_to_the_sweep
    _is_left_to_the_sweep = True


def open_tracker(config: "Config", folder: RunFolder) -> Listener:
    """The listener that tracks a run. The tracker itself is opened when the run starts."""
    return _Tracked(config, folder)


class _Tracked(Listener):
    """Opens the run's tracker when the run starts, and passes all events on to it."""

    def __init__(self, config: "Config", folder: RunFolder) -> None:
        self.name = f"tracker={config.tracker.name}"
        self._config, self._folder = config, folder
        self._listener = Listener()

    def started(self, event: Started) -> None:
        if not (kind_of(self._config.tracker.name).is_for_sweeps and _is_left_to_the_sweep):
            self._listener = tracker_of(self._config).open_run(self._folder)
        self._listener.started(event)

    def progressed(self, event: "Progress") -> None:
        self._listener.progressed(event)

    def evaluated(self, row: "Row") -> None:
        self._listener.evaluated(row)

    def ended(self, event: "Ended") -> None:
        self._listener.ended(event)
