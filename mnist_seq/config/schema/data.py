"""Keys of `data=`: which examples there are, how they are split and read."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from mnist_seq.config.schema.types import Count, CountOrNone, Fraction, Group, NonNegative, Text


class _Named(Group):
    name: str
    root: Text


class _Reading(_Named):
    """How pictures and signals are read. Apart, so that the keys of `Images` keep their order."""

    sequence: Literal["rows", "columns", "pixels", "permuted"]
    chunk: Count
    permutation: Literal["bit_reversal"] | Annotated[int, Field(ge=0, lt=2**32)]
    normalize: Literal["standard", "unit"]


class Data(_Named):
    """What every data set has: `conf/base/data.yaml`."""

    valid: CountOrNone
    limit: Literal["all"] | Count

    def options(self) -> dict[str, Any]:
        """The data set's own keys, beyond those that every one has."""
        return {key: value for key, value in dict(self).items() if key not in Data.model_fields}

    @property
    def changes(self) -> "Images | None":
        """The keys by which training batches are changed at random; None where nothing is."""
        return None


class Images(Data, _Reading):
    """What pictures and signals have: `conf/base/images.yaml`."""

    of_training: ClassVar = ("shift", "noise", "drop_steps")

    label_noise: Fraction
    shift: CountOrNone
    noise: NonNegative
    drop_steps: Fraction

    @property
    def is_grid(self) -> bool:
        """Whether a time step is a row or a column."""
        return self.sequence in ("rows", "columns")

    @property
    def changes(self) -> "Images | None":
        """See `Data`."""
        return self if self.shift or self.noise or self.drop_steps else None
