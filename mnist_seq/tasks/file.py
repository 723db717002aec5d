"""A user's own sequences, from a NumPy archive or .ts files of the UEA and UCR archive."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Data
from mnist_seq.config.schema.data import File as FileSettings
from mnist_seq.tasks import Located, Spec, Task

if TYPE_CHECKING:
    from mnist_seq.tasks.examples import Examples, Part
    from mnist_seq.tasks.sources.own_file import Own


class File(Task):
    """Sequences of numbers or words, with a class, values or bits; all sizes are the file's."""

    title = "Own sequences"
    noun = "sequences"
    settings: FileSettings

    def __init__(self, settings: Data) -> None:
        assert isinstance(settings, FileSettings)
        super().__init__(settings)
        parts = self._own().parts
        self.num_train, self.num_test = len(parts["train"].x), len(parts["test"].x)

    def _own(self) -> "Own":
        from mnist_seq.tasks.sources.own_arrays import place_of
        from mnist_seq.tasks.sources.own_file import read

        settings = self.settings
        return read(place_of(settings.path), output=settings.output, per_step=settings.per_step)

    @property
    def spec(self) -> Spec:
        """See `Task`."""
        own, settings = self._own(), self.settings
        return Spec(
            "token" if own.is_token else "vector",
            own.input_size,
            settings.output,
            own.num_outputs,
            time_steps=own.time_steps,
            per_step=settings.per_step,
            varied=own.is_varied,
        )

    def check(self) -> None:
        """See `Task`."""
        settings, parts = self.settings, self._own().parts
        if settings.valid == "file" and "valid" not in parts:
            raise ConfigError(
                f"data.valid=file needs x_valid and y_valid in {settings.path}: it has none; "
                "choose data.valid=0.1"
            )
        if settings.valid != "file" and "valid" in parts:
            raise ConfigError(
                f"data.valid={settings.valid} would leave x_valid of {settings.path} unused; "
                "choose data.valid=file"
            )

    @property
    def num_valid(self) -> int:
        """See `Task`."""
        valid, parts = self.settings.valid, self._own().parts
        if valid == "file":
            return len(parts["valid"].x)
        return max(1, round(valid * self.num_train)) if isinstance(valid, float) else valid

    @property
    def has_own_valid(self) -> bool:
        """See `Task`."""
        return self.settings.valid == "file"

    def source(self) -> dict[str, Any]:
        """See `Task`: the content of the file, wherever it lies, and how it is read."""
        keys = self.settings.options()
        how = {key: value for key, value in keys.items() if key != "path"}
        return {"content": self._own().checksum, **how}

    def locate(self, root: Path) -> Located:
        """See `Task`."""
        from mnist_seq.tasks.sources.own_arrays import place_of

        own, path = self._own(), str(place_of(self.settings.path))
        return self.located([own.checksum], ((path, own.checksum),), "; ".join(own.remarks))

    def load(self, located: Located) -> "Examples":
        """See `Task`; the validation set of the file, if any, follows the training set.

        Raises:
            ValueError: the file is another one than when the run was planned.
        """
        from mnist_seq.tasks.examples import Examples

        own = self._own()
        if own.checksum != located.files[0][1]:
            raise ValueError(
                f"data.path={self.settings.path} has changed since the run was planned"
            )
        train, test = own.parts["train"], own.parts["test"]
        if self.has_own_valid:
            train = _joined(train, own.parts["valid"])
        if self.settings.normalize == "standard" and not own.is_token:
            train, test = _normalized(train, test, of=own.parts["train"])
        return Examples(train, test)

    def num_loaded(self) -> dict[str, int]:
        """See `Task`."""
        more = self.num_valid if self.has_own_valid else 0
        return {"training set": self.num_train + more, "test set": self.num_test}


def _joined(a: "Part", b: "Part") -> "Part":
    import numpy as np

    def both(name: str) -> Any:
        parts = [getattr(part, name) for part in (a, b)]
        return None if parts[0] is None else np.concatenate(parts)

    return replace(a, **{name: both(name) for name in ("x", "y", "lengths", "mask")})


def _normalized(*parts: "Part", of: "Part") -> list["Part"]:
    """The parts with mean 0 and sd 1 in each channel over the time steps of one; padding stays 0.

    A channel that never changes keeps its scale.
    """
    import numpy as np

    def inside(part: "Part") -> Any:
        lengths = part.lengths
        whole = np.ones(part.x.shape[:2], dtype=bool)
        return whole if lengths is None else np.arange(part.x.shape[1]) < lengths[:, None]

    steps = of.x[inside(of)].astype(np.float64)
    mean, sd = steps.mean(axis=0), steps.std(axis=0)
    sd[sd == 0] = 1.0
    return [
        replace(part, x=(((part.x - mean) / sd) * inside(part)[..., None]).astype(np.float32))
        for part in parts
    ]
