"""Base class of tasks with pictures or signals, which can be read as sequences in several ways.

`ImageTask` has rows, columns, pixels or permuted pixels, ten classes, and a picture of each
example. A data set that was published as IDX files builds on `PublishedTask`.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Data, Images
from mnist_seq.tasks import Spec, Task
from mnist_seq.tasks.images.permutation import PERMUTATION_SEED, permutation_hash

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class ImageTask(Task):
    """Pictures or signals of ten classes.

    Attributes:
        shape: shape of one example: rows and columns, or the number of values of a signal.
        mean, std: mean and standard deviation of the training pixels, as fractions of 255.
    """

    noun = "images"
    shape: ClassVar[tuple[int, ...]] = (28, 28)
    mean: ClassVar[float]
    std: ClassVar[float]
    settings: Images

    def __init__(self, settings: Data) -> None:
        assert isinstance(settings, Images)
        super().__init__(settings)

    @property
    def spec(self) -> Spec:
        """See `Task`."""
        data = self.settings
        chunk = self.shape[-1] if data.is_grid else data.chunk
        time_steps = data.pad_noise or self.num_read
        return Spec("vector", chunk * self.channels, "class", 10, time_steps=time_steps)

    @property
    def channels(self) -> int:
        """Numbers of a pixel."""
        return 1

    @property
    def num_read(self) -> int:
        """Time steps of a picture or signal, without the noise behind it."""
        data, num_values = self.settings, math.prod(self.shape)
        return num_values // (self.shape[-1] if data.is_grid else data.chunk)

    @property
    def num_padded(self) -> int:
        """See `Task`."""
        return self.spec.time_steps - self.num_read

    def padding(self, of: Literal["train", "test"], rows: Sequence[int]) -> "np.ndarray":
        """See `Task`: noise."""
        from mnist_seq.tasks.images.padding import noise

        return noise(of, rows, self.num_padded, self.spec.input_size)

    def check(self) -> None:
        """See `Task`."""
        data, num_values = self.settings, math.prod(self.shape)
        instead = f"data.sequence={data.sequence}; choose data.sequence=pixels or permuted"
        problem = ""
        if data.is_grid and data.chunk != 1:
            problem = f"data.chunk is the pixels of a time step: data.chunk={data.chunk} {instead}"
        elif not data.is_grid and num_values % data.chunk:
            problem = (
                f"data.chunk must divide the {num_values} values of an example: "
                f"data.chunk={data.chunk}; choose a divisor"
            )
        elif data.permutation != PERMUTATION_SEED and data.sequence != "permuted":
            problem = (
                f"data.permutation={data.permutation} is the order of permuted values: "
                f"data.sequence={data.sequence}; choose data.sequence=permuted"
            )
        elif data.shift >= self.spec.time_steps:
            problem = (
                f"data.shift must be less than the {self.spec.time_steps} time steps of a "
                f"sequence: data.shift={data.shift}; choose less"
            )
        elif data.pad_noise and data.pad_noise <= self.num_read:
            problem = (
                f"data.pad_noise must exceed the {self.num_read} time steps of an example: "
                f"data.pad_noise={data.pad_noise}; choose more, or 0 for none"
            )
        if problem:
            raise ConfigError(problem)

    def source(self) -> dict[str, object]:
        """See `Task`; empty, because its keys say how examples are read, not which ones."""
        return {}

    def affine(self) -> tuple[float, float]:
        """See `Task`; from the byte of a pixel to the input of the network."""
        if self.settings.normalize == "unit":
            return 1 / 255, 0.0
        return 1 / (255 * self.std), -self.mean / self.std

    def read(self, x: "Tensor") -> "Tensor":
        """See `Task`."""
        from mnist_seq.tasks.images.sequence import as_sequence

        data = self.settings
        return as_sequence(x, data.sequence, chunk=data.chunk, permutation=data.permutation)

    def identity(self) -> dict[str, str | int]:
        """See `Task`."""
        data, is_permuted = self.settings, self.settings.sequence == "permuted"
        order = permutation_hash(data.permutation, math.prod(self.shape)) if is_permuted else ""
        return {"sequence": data.sequence, "permutation_hash": order}

    def draw(self, x: "np.ndarray") -> "np.ndarray | None":
        """See `Task`; pictures are shown unchanged."""
        return x
