"""Errors of runs and folders."""

from mnist_seq.config.errors import ConfigError
from mnist_seq.runs import stop_signals


class RunFailed(RuntimeError):
    """A run ended by an error; the folder's error.txt has the traceback."""


class StaleRun(ConfigError):
    """A run folder holds a run of another config or other data."""


class OutsideFolder(ConfigError, OSError):
    """A link is in the place of a file or folder that a run, sweep or report writes."""


class FolderLocked(ConfigError):
    """Another process has locked the run or sweep folder."""


class Interrupted(BaseException):
    """A signal stopped a run; the same command resumes it.

    Not an `Exception`, so that no handler of failures catches it.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {stop_signals.name_of(signum)}")
        self.exit_code = 128 + signum
