"""How a run can end short of a result."""

import signal

from mnist_seq.config.errors import ConfigError


class RunFailed(RuntimeError):
    """A run ended by an error; its traceback lies in the folder's error.txt."""


class StaleRun(ConfigError):
    """A run folder holds a run of another config or other data."""


class FolderLocked(ConfigError):
    """Another process is at work in the same run or sweep folder."""


class Interrupted(BaseException):
    """A run stopped early at somebody's wish.

    Not an `Exception`: no handler of failures may take it for one.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum
