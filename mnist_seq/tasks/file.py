"""A user's own sequences: a NumPy archive, a CSV, or .ts files of the UEA and UCR archive."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Data
from mnist_seq.config.schema.data import File as FileSettings
from mnist_seq.tasks import Located, Spec, Task

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Examples
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
        self.num_test, self._num_given = len(parts["test"].x), len(parts["train"].x)

    @property
    def num_train(self) -> int:  # type: ignore[override]
        """See `Task`; without those for validation."""
        is_of_file = self.settings.valid == "file"
        return self._num_given - (0 if is_of_file else self.num_valid)

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
        settings, own = self.settings, self._own()
        parts = own.parts
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
        if settings.valid != "file":
            self._check_division()

    def _check_division(self) -> None:
        """Refuse a validation part that leaves too little, or that whole groups cannot make."""
        import numpy as np

        settings, own = self.settings, self._own()
        asked = f"data.valid={settings.valid} of {self._num_given:,} sequences of {settings.path}"
        if self._num_asked() >= self._num_given:
            raise ConfigError(f"data.valid must leave training sequences: {asked}; choose less")
        train, valid = self._division()
        if self._num_asked() and not len(valid):
            num = 0 if own.groups is None else len(np.unique(own.groups))
            raise ConfigError(
                f"group_train keeps {num} groups whole, and none of them fits: {asked}; choose "
                "more, or data.valid=file"
            )
        if settings.output == "class" and not settings.per_step:
            y = own.parts["train"].y
            missing = np.setdiff1d(y, y[train])
            if len(missing):
                raise ConfigError(
                    f"data.valid must leave sequences of each class for training: {asked} takes "
                    f"all of class {missing[0]}; choose less, or another data.task_seed"
                )

    def _num_asked(self) -> int:
        valid = self.settings.valid
        assert valid != "file"
        return max(1, round(valid * self._num_given)) if isinstance(valid, float) else valid

    @property
    def num_valid(self) -> int:
        """See `Task`; groups stay whole, so it may be another number than `data.valid`."""
        if self.settings.valid == "file":
            parts = self._own().parts
            return len(parts["valid"].x) if "valid" in parts else 0
        return len(self._division()[1])

    def _division(self) -> "tuple[np.ndarray, np.ndarray]":
        """Positions of the sequences for training and for validation, from x_train.

        Raises:
            ValueError: too many are asked for.
        """
        from mnist_seq.tasks.recordings.division import divided

        own, settings = self._own(), self.settings
        is_stratified = settings.output == "class" and not settings.per_step
        return divided(
            own.parts["train"].y if is_stratified else None,
            self._num_asked(),
            seed=settings.task_seed,
            groups=own.groups,
            size=self._num_given,
        )

    @property
    def has_own_valid(self) -> bool:
        """See `Task`: the same in all runs."""
        return True

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
        import numpy as np

        from mnist_seq.tasks.examples import Examples
        from mnist_seq.tasks.recordings.scaling import joined, scaled, taken

        own = self._own()
        if own.checksum != located.files[0][1]:
            raise ValueError(
                f"data.path={self.settings.path} has changed since the run was planned"
            )
        train, test = own.parts["train"], own.parts["test"]
        if self.settings.valid == "file":
            rows = np.arange(len(train.x))
            train = joined(train, own.parts["valid"])
        else:
            rows, valid = self._division()
            train = taken(train, np.concatenate([rows, valid]))
        scale = None
        if self.settings.normalize == "standard" and not own.is_token:
            (train, test), scale = scaled((train, test), of=taken(train, np.arange(len(rows))))
        return Examples(train, test, scale=scale)

    def num_loaded(self) -> dict[str, int]:
        """See `Task`."""
        return {"training set": self.num_train + self.num_valid, "test set": self.num_test}

    @property
    def class_names(self) -> tuple[str, ...]:
        """See `Task`."""
        return self._own().classes

    def identity(self) -> dict[str, str | int]:
        """See `Task`: the names of the classes, for whoever reads the run."""
        names = self._own().classes
        return {"classes": ", ".join(names)} if names else {}
