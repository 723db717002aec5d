"""MNIST-1D: signals of 40 values, made from digits by its authors' package.

Source: Greydanus & Kobak 2024, arXiv:2011.14439.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_seq.config import ConfigError
from mnist_seq.tasks import Located
from mnist_seq.tasks.images import ImageTask
from mnist_seq.tasks.images.drawing import drawn
from mnist_seq.tasks.sources import mnist1d_file

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Examples


class Mnist1d(ImageTask):
    """4,000 training and 1,000 test signals with mean 0 and deviation 1."""

    title = "MNIST-1D"
    num_train, num_test = 4_000, 1_000
    shape = (40,)

    def check(self) -> None:
        """See `Task`: a signal has no rows, and its values are no bytes."""
        data = self.settings
        if data.is_grid:
            raise ConfigError(
                f"data=mnist1d has signals, no rows or columns: data.sequence={data.sequence}; "
                "choose data.sequence=pixels or permuted"
            )
        if data.normalize == "unit":
            raise ConfigError(
                "data=mnist1d is published with mean 0 and deviation 1, not as pixels: "
                "data.normalize=unit; choose data.normalize=standard"
            )
        super().check()

    def locate(self, root: Path) -> Located:
        """Find the file of signals in the root; it is generated where it is missing.

        Raises:
            ValueError: it is not the published one, or cannot be generated.
        """
        is_new = not (root / mnist1d_file.FILE).exists()
        path = mnist1d_file.find(root)
        notice = f"generated MNIST-1D into {path}" if is_new else ""
        return self.located([mnist1d_file.SHA256], ((str(path), mnist1d_file.SHA256),), notice)

    def load(self, located: Located) -> "Examples":
        """See `Task`."""
        from mnist_seq.tasks.examples import Examples, Part

        x, y, test_x, test_y = mnist1d_file.read(Path(located.files[0][0]))
        return Examples(Part(x, y), Part(test_x, test_y))

    def affine(self) -> tuple[float, float]:
        """See `Task`: signals are used as they are published."""
        return 1.0, 0.0

    def draw(self, x: "np.ndarray") -> "np.ndarray":
        """See `Task`."""
        return drawn(x)

    @classmethod
    def test_pictures(cls, root: Path, indexes: Sequence[int]) -> "np.ndarray | None":
        """See `Task`."""
        try:
            signals = mnist1d_file.read(root / mnist1d_file.FILE)[2]
        except ValueError:  # not there, or altered: a run that needs it says so
            return None
        return drawn(signals[list(indexes)]) if max(indexes) < len(signals) else None
