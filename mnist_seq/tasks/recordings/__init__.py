"""Base class of recorded sequences that an installed package carries: no download, no conversion.

A package is found and its files are read; it is not imported, so none of its own dependencies are
needed.
"""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Data
from mnist_seq.config.schema.data import Recorded
from mnist_seq.tasks import Located, Spec, Task
from mnist_seq.tasks.sources.carried import Carried, find

if TYPE_CHECKING:
    from mnist_seq.tasks.examples import Examples, Part


class Recordings(Task):
    """Sequences of numbers in several lengths, with a class each.

    The validation part has each class in its share, and is drawn by `data.task_seed`: it is the
    same in all runs, and channels are scaled by the other training sequences alone.

    Attributes:
        carried: package, files and checksums.
        num_given: sequences of the training set, those for validation included.
        channels, num_classes, longest: of the sequences.
        rule: what, beside the files, determines training and test set.
    """

    noun = "recordings"
    carried: ClassVar[Carried]
    num_given: ClassVar[int]
    channels: ClassVar[int]
    num_classes: ClassVar[int]
    longest: ClassVar[int]
    rule: ClassVar[str]
    settings: Recorded

    def __init__(self, settings: Data) -> None:
        assert isinstance(settings, Recorded)
        super().__init__(settings)
        self.num_train = self.num_given - settings.valid

    @property
    def spec(self) -> Spec:
        """See `Task`."""
        return Spec(
            "vector",
            self.channels,
            "class",
            self.num_classes,
            time_steps=self.longest,
            varied=self.settings.read_at == "length",
        )

    @property
    def has_own_valid(self) -> bool:
        """See `Task`."""
        return True

    def check(self) -> None:
        """See `Task`."""
        valid, most = self.settings.valid, self.num_given - self.num_classes
        if valid > most:
            raise ConfigError(
                f"data.valid must leave a recording of each class for training: data.valid={valid} "
                f"of {self.num_given:,} in {self.name}; choose {most} or less"
            )

    def source(self) -> dict[str, object]:
        """See `Task`; empty, because its keys say how examples are read, not which ones."""
        return {}

    def locate(self, root: Path) -> Located:
        """See `Task`.

        Raises:
            DataNotFound: the package is not installed.
            ValueError: its files are others than expected.
        """
        files = find(self.carried, self.name)
        return self.located([*(sha256 for _, sha256 in files), self.rule], files)

    def sets(self, paths: list[Path]) -> tuple["Part", "Part"]:
        """The training and the test set, from the files of the package."""
        raise NotImplementedError

    def load(self, located: Located) -> "Examples":
        """See `Task`."""
        import numpy as np

        from mnist_seq.tasks.examples import Examples
        from mnist_seq.tasks.recordings.division import divided
        from mnist_seq.tasks.recordings.scaling import lengthened, scaled, taken

        settings, scale = self.settings, None
        parts = [lengthened(part, self.longest)
                 for part in self.sets([Path(path) for path, _ in located.files])]  # fmt: skip
        train, valid = divided(parts[0].y, settings.valid, seed=settings.task_seed)
        if settings.normalize == "standard":
            parts, scale = scaled(parts, of=taken(parts[0], train))
        whole = taken(parts[0], np.concatenate([train, valid]))
        if settings.read_at == "padded_end":
            return Examples(_without_lengths(whole), _without_lengths(parts[1]), scale=scale)
        return Examples(whole, parts[1], scale=scale)

    def num_loaded(self) -> dict[str, int]:
        """See `Task`."""
        return {"training set": self.num_given, "test set": self.num_test}


def _without_lengths(part: "Part") -> "Part":
    from dataclasses import replace

    return replace(part, lengths=None)
