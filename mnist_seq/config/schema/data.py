"""Keys of `data=`: where examples come from and how they are read."""

from typing import Annotated, Literal

from pydantic import Field

from mnist_seq.config.schema.types import Count, CountOrNone, Fraction, Group, NonNegative, Text

NUM_TRAIN = {"mnist": 60_000, "fashion_mnist": 60_000, "kmnist": 60_000, "mnist_5k": 4_000,
             "mnist1d": 4_000}  # fmt: skip
SIDE = 28  # of a picture
NUM_SIGNAL = 40  # values of an MNIST-1D signal
PERMUTATION_SEED = 92916  # of the literature's permuted MNIST


class Data(Group):
    name: str
    root: Text
    sequence: Literal["rows", "columns", "pixels", "permuted"]
    chunk: Count
    permutation: Literal["bit_reversal"] | Annotated[int, Field(ge=0, lt=2**32)]
    normalize: Literal["standard", "unit"]
    valid: CountOrNone
    limit: Literal["all"] | Count
    label_noise: Fraction
    shift: CountOrNone
    noise: NonNegative
    drop_steps: Fraction

    def shape(self) -> tuple[int, int]:
        """(T, D): the number of time steps, and of values that each one shows."""
        if self.sequence in ("rows", "columns"):
            return SIDE, SIDE
        return self._num_values() // self.chunk, self.chunk

    @property
    def is_augmented(self) -> bool:
        """Whether training batches are changed at random."""
        return bool(self.shift or self.noise or self.drop_steps)

    def problem(self) -> str:
        """Why these values do not go together, or ""."""
        is_signal, is_grid = self.name == "mnist1d", self.sequence in ("rows", "columns")
        instead = f"data.sequence={self.sequence}; choose data.sequence=pixels or permuted"
        if is_signal and is_grid:
            return f"data=mnist1d has signals, no rows or columns: {instead}"
        if is_signal and self.normalize == "unit":
            return (
                "data=mnist1d is published with mean 0 and deviation 1, not as pixels: "
                "data.normalize=unit; choose data.normalize=standard"
            )
        if is_grid and self.chunk != 1:
            return f"data.chunk is the pixels of a time step: data.chunk={self.chunk} {instead}"
        if not is_grid and self._num_values() % self.chunk:
            return (
                f"data.chunk must divide the {self._num_values()} values of an example: "
                f"data.chunk={self.chunk}; choose a divisor"
            )
        if self.permutation != PERMUTATION_SEED and self.sequence != "permuted":
            return (
                f"data.permutation={self.permutation} is the order of permuted values: "
                f"data.sequence={self.sequence}; choose data.sequence=permuted"
            )
        if self.shift >= self.shape()[0]:
            return (
                f"data.shift must be less than the {self.shape()[0]} time steps of a sequence: "
                f"data.shift={self.shift}; choose less"
            )
        return ""

    def _num_values(self) -> int:
        return NUM_SIGNAL if self.name == "mnist1d" else SIDE * SIDE
