"""A run that is ready to train."""

from dataclasses import dataclass

from mnist_seq.config import Config
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tasks import Located

__all__ = ["Job", "Located"]


@dataclass(frozen=True)
class Job:
    """What is asked, on which data, where to."""

    config: Config
    located: Located
    folder: RunFolder
    name: str
    overrides: tuple[str, ...] = ()
