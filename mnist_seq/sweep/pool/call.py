"""The job of a pool as an engine gets it: a call without arguments that can be pickled."""

import contextlib
import faulthandler
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO

from mnist_seq import system
from mnist_seq.runs import files
from mnist_seq.runs.events import WATCHERS
from mnist_seq.runs.folder import RunFolder
from mnist_seq.sweep.pool import worker
from mnist_seq.sweep.pool.answer import AnswerFile
from mnist_seq.sweep.pool.jobs import Work

if TYPE_CHECKING:
    import filelock

INTERRUPTED = "interrupted by "  # begins the answer of a job that a signal has stopped


@dataclass(frozen=True)
class Call:
    """Trains one run when it is called, in a process that may have trained another run before.

    Attributes:
        work: the pickled `Work`.
        folder: the run's folder, by a path that all machines see.
        lock: file that is locked while the run trains. On Slurm a job may outlive the command that
            sent it; the next command then waits for the lock, and finds the run finished.
        directory: working directory, for relative paths of the config.
        env: variables that are added to the environment.
        id: under which it says beside its lock that it has begun, and how it has ended; "": not.
        identity: hash over the run's config and data.
        shape: calls of equal shape may be trained as one stack; "": alone.
    """

    work: bytes
    folder: str
    lock: str
    directory: str
    env: Mapping[str, str]
    id: str = ""
    identity: str = ""
    shape: str = ""

    def __call__(self) -> str:
        """Train, in a process that does nothing else during that time.

        It never raises, because some errors cannot be pickled.

        Returns:
            Why there is no result, or ""; it begins with `INTERRUPTED` if a signal came.
        """
        self._begin()
        with _logged(Path(self.folder)), _stopped_by_preemption() as early, self.locked():
            answer = self.answer
            answer.begin()
            fault = self._done(lambda work: work(), sys.stderr)
            if early and fault.startswith(INTERRUPTED):
                fault = f"{INTERRUPTED}{signal.Signals(early[0]).name}"
            answer.end(fault)
            return fault

    @property
    def answer(self) -> AnswerFile:
        """What it says of itself."""
        return AnswerFile(Path(self.lock), self.id)

    def in_thread(self) -> str:
        """Train, in a thread of a process that does other things too; one call at a time.

        The progress lines of the run go to its log; other output goes to the output of the process.

        Returns:
            Why there is no result, or "".
        """
        self._begin()
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        path = Path(self.folder) / worker.LOG
        opened = os.fdopen(files.open_append(path), "a", buffering=1, encoding="utf-8")
        with opened as log, self.locked():
            return self._done(lambda work: work.in_thread(log), log)

    def _begin(self) -> None:
        from hydra import version

        version.setbase("1.3")  # as in `train`; without it Hydra changes the working directory
        WATCHERS.clear()  # those of the run that this process trained before
        os.chdir(self.directory)
        os.environ.update(self.env)

    def locked(self, *, wait_s: float = -1) -> "filelock.FileLock":
        """Its lock, to be entered.

        Args:
            wait_s: for a job that trains the run now, which is `filelock.Timeout` then; -1: until
                it ends.
        """
        import filelock

        at_work = Path(self.lock).parent
        files.inside(files.make_folder(at_work.parent, at_work.name), Path(self.lock).name)
        return filelock.FileLock(self.lock, timeout=wait_s)

    def _done(self, do: Callable[[Work], None], log: TextIO) -> str:
        try:
            do(pickle.loads(self.work))
        except SystemExit as stop:
            signum = stop.code - 128 if isinstance(stop.code, int) else 0
            if signum in system.STOP_SIGNALS:
                return f"{INTERRUPTED}{signal.Signals(signum).name}"
            return f"it left with exit code {stop.code}"
        except BaseException as error:
            traceback.print_exc(file=log)
            return self._failed(error)
        return ""

    def _failed(self, error: BaseException) -> str:
        folder = RunFolder(Path(self.folder))
        if isinstance(error, Exception) and not folder.error_path.exists():
            with contextlib.suppress(OSError):  # a full disk; the reason is returned anyway
                folder.write_error(traceback.format_exc())
        return f"{type(error).__name__}: {error}".splitlines()[0]


@contextlib.contextmanager
def _logged(folder: Path) -> Iterator[None]:
    """Send all output of this process, also that of C code, to the job's log during the block."""
    folder.mkdir(parents=True, exist_ok=True)
    _flush()
    kept = [os.dup(1), os.dup(2)]
    fd = files.open_append(folder / worker.LOG)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
    streams = sys.stdout, sys.stderr
    # engines replace these by objects that may not write to the file descriptors
    out = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    err = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    with out, err:
        sys.stdout, sys.stderr = out, err
        faulthandler.enable(err)
        try:
            yield
        finally:
            _flush()
            faulthandler.disable()
            sys.stdout, sys.stderr = streams
            for number, saved in zip((1, 2), kept, strict=True):
                os.dup2(saved, number)
                os.close(saved)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


@contextlib.contextmanager
def _stopped_by_preemption() -> Iterator[list[int]]:
    """Treat SIGUSR2 as SIGTERM: Slurm sends it before a time limit or a preemption.

    Yields:
        The signals that have come so far.
    """
    come: list[int] = []

    def leave(signum: int, frame: FrameType | None) -> None:
        come.append(signum)
        system.signal_this_process(signal.SIGTERM)

    try:
        before: Any = signal.signal(signal.SIGUSR2, leave)
    except (ValueError, AttributeError):  # not in the main thread, or Windows
        yield come
        return
    try:
        yield come
    finally:
        signal.signal(signal.SIGUSR2, before)
