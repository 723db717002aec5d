"""The jobs of a pool, their outcomes, and the views that are told about them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TextIO

from mnist_seq.config import ConfigError
from mnist_seq.runs.folder import RunFolder

End = Literal["finished", "diverged", "failed", "interrupted"]


class Work(Protocol):
    """The work of a job. The command pickles it, and the worker calls it."""

    def __call__(self) -> None:
        """Do it, in a process that does nothing else during that time."""

    def in_thread(self, log: TextIO) -> None:
        """Do it, in a thread of a process that does other things too.

        Args:
            log: gets the progress lines.
        """


@dataclass(frozen=True)
class PoolJob:
    """A run as a job of the pool.

    Attributes:
        work: makes the pickled `Work`; called just before the job starts.
        expected_s: expected seconds; 0 if unknown.
        attempt: number of earlier attempts.
        shape: jobs of equal shape may be trained as one stack; jobs with "" train alone.
        num_stops: how often in a row its scheduler has stopped it without a new checkpoint.
        identity: hash over the run's config and data.
    """

    name: str
    folder: RunFolder
    work: Callable[[], bytes]
    expected_s: float = 0.0
    attempt: int = 0
    shape: str = ""
    num_stops: int = 0
    identity: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        is_stopped: whether its scheduler has stopped it, so that it is to be submitted again.
        is_further: whether it has a checkpoint that it did not have before, or its turn had not
            come.
    """

    job: PoolJob
    state: End
    reason: str
    seconds: float
    is_stopped: bool = False
    is_further: bool = False


@dataclass(frozen=True)
class Policy:
    """What to do when something goes wrong."""

    on_failure: Literal["continue", "stop"] = "continue"
    retries: int = 0
    timeout_s: float = float("inf")
    stop_after_same_failures: int = 3
    resubmits: int = 0  # of a job that its scheduler stops, in a row without a new checkpoint
    grace_s: float = 20.0  # seconds between asking a job to stop, and killing it


class Refused(ConfigError):
    """An engine takes no job of this sweep."""


class Full(Exception):
    """An engine takes no job now, and may take one later."""


class View(Protocol):
    """Is told what happens in the pool. An OSError of a view does not affect the runs."""

    def started(self, job: PoolJob, slot: int) -> None: ...
    def event(self, job: PoolJob, event: Any) -> None: ...
    def ended(self, outcome: Outcome, *, is_retried: bool) -> None: ...
    def stopping(self, reason: str) -> None: ...


class Running(Protocol):
    """A running job, on this machine or another."""

    job: PoolJob
    slot: int

    def events(self) -> Iterator[Any]:
        """Events of the job since the last call."""

    def ask_to_stop(self, reason: str, *, grace_s: float, is_fault: bool = False) -> None:
        """Ask the job to save its checkpoint and end; later calls change nothing."""

    def hurry(self, *, grace_s: float) -> None:
        """Shorten the grace time of a job that was asked to stop."""

    def escalate(self, *, grace_s: float) -> None:
        """Ask it to stop if its time is over; kill it if its grace time is over too."""

    def end(self, reason: str = "") -> Outcome:
        """Clean up after the job, and return its outcome.

        Args:
            reason: why it is ended now, if it has not ended by itself.
        """
