"""Keys of `data=`: which examples there are, how they are split and read."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from mnist_seq.config.schema.types import Count, CountOrNone, Fraction, Group, NonNegative, Text

MOST_OUTPUTS = 4096  # classes that run.json allows
Length = Annotated[int, Field(ge=1, le=2**21)]
Many = Annotated[int, Field(ge=1, lt=2**31)]


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
    pad_noise: Annotated[int, Field(ge=0, le=2**21)] = 0  # runs from before this key have none

    @property
    def is_grid(self) -> bool:
        """Whether a time step is a row or a column."""
        return self.sequence in ("rows", "columns")

    @property
    def changes(self) -> "Images | None":
        """See `Data`."""
        return self if self.shift or self.noise or self.drop_steps else None


class Cifar10(Images):
    option_names: ClassVar = ("cifar10",)

    grey: bool


class Stream(Data):
    """What generated sequences have: `conf/base/stream.yaml`."""

    train: Many
    test: Many
    task_seed: Annotated[int, Field(ge=0, lt=2**32)]
    length: Length
    min_length: Literal["length"] | Length
    probes: list[Length]

    @property
    def shortest(self) -> int:
        """The shortest length of a training batch."""
        return self.length if self.min_length == "length" else self.min_length


class Tokens(Stream):
    """What generated sequences of tokens have: `conf/base/tokens.yaml`."""

    embedding: Literal["none"] | Annotated[int, Field(ge=1, le=2**16)]


class Recorded(Data):
    """What recorded sequences of a package have: `conf/base/recorded.yaml`."""

    normalize: Literal["standard", "none"]
    read_at: Literal["length", "padded_end"]
    task_seed: Annotated[int, Field(ge=0, lt=2**32)]


class Adding(Stream):
    option_names: ClassVar = ("adding",)

    variant: Literal["halves", "anywhere", "hochreiter"]


class Copying(Tokens):
    option_names: ClassVar = ("copying",)

    items: Annotated[int, Field(ge=1, le=1000)]
    symbols: Annotated[int, Field(ge=2, lt=MOST_OUTPUTS)]
    variant: Literal["one_marker", "markers", "on_marker"]
    counts: Literal["recall", "all"]


class CopyingBits(Stream):
    option_names: ClassVar = ("copying_bits",)

    bits: Annotated[int, Field(ge=1, le=1000)]
    pause: Annotated[int, Field(ge=0, le=2**20)]


class SelectiveCopying(Tokens):
    option_names: ClassVar = ("selective_copying",)

    items: Annotated[int, Field(ge=1, le=1000)]
    vocabulary: Annotated[int, Field(ge=4, le=MOST_OUTPUTS)]


class ModularArithmetic(Tokens):
    option_names: ClassVar = ("modular_arithmetic",)

    modulus: Annotated[int, Field(ge=2, le=100)]


class CycleNavigation(Tokens):
    option_names: ClassVar = ("cycle_navigation",)

    places: Annotated[int, Field(ge=2, le=100)]


class Recall(Tokens):
    option_names: ClassVar = ("mqar",)

    pairs: Annotated[int, Field(ge=1, le=10_000)]
    vocabulary: Annotated[int, Field(ge=4, le=2 * MOST_OUTPUTS)]  # answers are values, the half
    fill: Literal["blank", "random"]


class Induction(Tokens):
    option_names: ClassVar = ("induction",)

    vocabulary: Annotated[int, Field(ge=3, le=MOST_OUTPUTS)]


class File(Data):
    """Sequences of a user's file: `conf/data/file.yaml`."""

    option_names: ClassVar = ("file",)

    path: Text
    valid: Literal["file"] | CountOrNone | Annotated[float, Field(gt=0, lt=1)]  # type: ignore[assignment]
    output: Literal["class", "value", "bits"]
    per_step: bool
    normalize: Literal["standard", "none"]
    task_seed: Annotated[int, Field(ge=0, lt=2**32)] = 1  # runs from before this key have none
