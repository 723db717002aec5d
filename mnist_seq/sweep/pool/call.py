"""One job as an engine takes it: a call without arguments that can be pickled."""

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
from typing import Any, TextIO

from mnist_seq.runs.events import WATCHERS
from mnist_seq.runs.folder import RunFolder
from mnist_seq.sweep.pool import worker
from mnist_seq.sweep.pool.jobs import Work


@dataclass(frozen=True)
class Call:
    """Trains one run wherever it is called, in a process that may have trained another one before.

    Attributes:
        work: pickled.
        folder: the run's, as all machines see it.
        lock: a file that is held while the run trains. A job may outlive the sweep that sent it
            (on Slurm it does); the next command then waits for it, and finds the run finished.
        directory: where relative paths of the config begin.
        env: added to the environment.
    """

    work: bytes
    folder: str
    lock: str
    directory: str
    env: Mapping[str, str]

    def __call__(self) -> str:
        """Train, in a process that does nothing else meanwhile.

        It never raises, since not every error can be pickled.

        Returns:
            Why there is no result, or "".
        """
        import filelock

        self._begin()
        with (
            _logged(Path(self.folder)),
            _stopped_by_preemption(),
            filelock.FileLock(self.lock),
        ):
            return self._done(lambda work: work(), sys.stderr)

    def in_thread(self) -> str:
        """Train, in a thread of a process that does other things too; one call at a time.

        The run's progress lines go to its log; what else is printed goes where the process prints.

        Returns:
            Why there is no result, or "".
        """
        import filelock

        self._begin()
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        path = Path(self.folder) / worker.LOG
        with path.open("a", buffering=1) as log, filelock.FileLock(self.lock):
            return self._done(lambda work: work.in_thread(log), log)

    def _begin(self) -> None:
        from hydra import version

        version.setbase("1.3")  # as `train` says; without it Hydra would change the directory
        WATCHERS.clear()  # of the run that this process has trained before
        os.chdir(self.directory)
        os.environ.update(self.env)
        Path(self.lock).parent.mkdir(exist_ok=True)

    def _done(self, do: Callable[[Work], None], log: TextIO) -> str:
        try:
            do(pickle.loads(self.work))
        except SystemExit as stop:
            return f"it left with exit code {stop.code}"
        except BaseException as error:
            traceback.print_exc(file=log)
            return self._failed(error)
        return ""

    def _failed(self, error: BaseException) -> str:
        folder = RunFolder(Path(self.folder))
        if isinstance(error, Exception) and not folder.error_path.exists():
            with contextlib.suppress(OSError):  # a full disk; the reason goes back all the same
                folder.write_error(traceback.format_exc())
        return f"{type(error).__name__}: {error}".splitlines()[0]


@contextlib.contextmanager
def _logged(folder: Path) -> Iterator[None]:
    """Send all output of this process, of C code too, to the job's log while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    _flush()
    kept = [os.dup(1), os.dup(2)]
    fd = os.open(folder / worker.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
    streams = sys.stdout, sys.stderr
    # Engines put objects of their own there, which may never reach the file descriptors
    with open(1, "w", closefd=False) as out, open(2, "w", closefd=False) as err:
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
def _stopped_by_preemption() -> Iterator[None]:
    """Treat SIGUSR2 as SIGTERM: Slurm sends it before a time limit or a preemption."""

    def leave(signum: int, frame: FrameType | None) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    try:
        before: Any = signal.signal(signal.SIGUSR2, leave)
    except ValueError:  # not in the main thread: signals go elsewhere
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR2, before)
