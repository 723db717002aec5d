"""The value that describes a run which is ready to train, and the record that it has failed."""

import errno
import sys
import traceback
from dataclasses import dataclass

from mnist_seq.config import Config
from mnist_seq.runs.events import Ended, Listener, tell
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tasks import Located

__all__ = ["Job", "Located", "record_failure"]


@dataclass(frozen=True)
class Job:
    """A run's config, located data, folder and name."""

    config: Config
    located: Located
    folder: RunFolder
    name: str
    overrides: tuple[str, ...] = ()


def record_failure(job: Job, error: Exception, listeners: list[Listener]) -> Ended:
    """Write error.txt and tell the listeners that a run has failed."""
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        reason += "; free some space, then the same command goes on from the last checkpoint"
    try:
        job.folder.write_error("".join(traceback.format_exception(error)))
        where = f"traceback in {job.folder.error_path}"
    except OSError as full:  # a full disk has no room for error.txt either
        traceback.print_exception(error, file=sys.stderr)
        where = f"and error.txt could not be written: {full}"
    ended = Ended("failed", 1, f"{reason} ({where})")
    tell(listeners, lambda listener: listener.ended(Ended("failed", 1, reason)))
    return ended
