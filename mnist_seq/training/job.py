"""The value that describes a run which is ready to train."""

from dataclasses import dataclass

from mnist_seq.config import Config
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tasks import Located

__all__ = ["Job", "Located"]


@dataclass(frozen=True)
class Job:
    """A run's config, located data, folder and name."""

    config: Config
    located: Located
    folder: RunFolder
    name: str
    overrides: tuple[str, ...] = ()
