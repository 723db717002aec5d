"""What the pool is given, what it gives back, and who is told on the way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TextIO

from mnist_seq.runs.folder import RunFolder

End = Literal["finished", "diverged", "failed", "interrupted"]


class Work(Protocol):
    """What a job does, wherever it is at work. The command pickles it, the worker calls it."""

    def __call__(self) -> None:
        """Do it, in a process that does nothing else meanwhile."""

    def in_thread(self, log: TextIO) -> None:
        """Do it, in a thread of a process that does other things too.

        Args:
            log: gets the progress lines.
        """


@dataclass(frozen=True)
class PoolJob:
    """A run for the pool.

    Attributes:
        work: makes the pickled `Work`; called when the job's turn has come.
        expected_s: seconds that it is expected to take, 0 where nothing is known.
        attempt: how often it was tried before.
        shape: jobs of equal shape may be trained as one stack; those of none ("") go alone.
    """

    name: str
    folder: RunFolder
    work: Callable[[], bytes]
    expected_s: float = 0.0
    attempt: int = 0
    shape: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    job: PoolJob
    state: End
    reason: str
    seconds: float


@dataclass(frozen=True)
class Policy:
    """What to do when something goes wrong."""

    on_failure: Literal["continue", "stop"] = "continue"
    retries: int = 0
    timeout_s: float = float("inf")
    stop_after_same_failures: int = 3
    grace_s: float = 20.0  # between asking a job to save and leave, and killing it


class View(Protocol):
    """Who is told what happens in the pool. An OSError of a view is no matter to the runs."""

    def started(self, job: PoolJob, slot: int) -> None: ...
    def event(self, job: PoolJob, event: Any) -> None: ...
    def ended(self, outcome: Outcome, *, is_retried: bool) -> None: ...
    def stopping(self, reason: str) -> None: ...


class Running(Protocol):
    """A job at work, wherever that is."""

    job: PoolJob
    slot: int

    def events(self) -> Iterator[Any]:
        """What the job has said since the last look."""

    def ask_to_stop(self, reason: str, *, grace_s: float, is_fault: bool = False) -> None:
        """Let the job save its checkpoint and go; later calls change nothing."""

    def escalate(self, *, grace_s: float) -> None:
        """Ask a job to leave that is over its time; kill one that was asked and has not left."""

    def end(self, reason: str = "") -> Outcome:
        """Clear away what is left of the job, and judge it.

        Args:
            reason: why it is ended now, where it has not ended by itself.
        """
