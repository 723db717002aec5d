"""CIFAR-10: photographs of ten kinds of things; read by pixels it is sCIFAR.

Source: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mnist_seq.config.schema import Data
from mnist_seq.config.schema.data import Cifar10 as Settings
from mnist_seq.tasks import Located
from mnist_seq.tasks.images import ImageTask, cifar10_file

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from mnist_seq.tasks.examples import Examples

# (mean, sd) of the training pixels, as fractions of 255: of all three colours together, from the
# published ones of each, and of their luma (state-spaces/s4). Not computed from the files by us.
_COLOUR, _GREY = (0.4734, 0.2516), (122.6 / 255, 61.0 / 255)


class Cifar10(ImageTask):
    """50,000 training and 10,000 test pictures, 32 x 32 pixels."""

    title = "CIFAR-10"
    num_train, num_test = 50_000, 10_000
    shape = (32, 32)
    settings: Settings

    def __init__(self, settings: Data) -> None:
        assert isinstance(settings, Settings)
        super().__init__(settings)

    @property
    def channels(self) -> int:
        """See `ImageTask`."""
        return 1 if self.settings.grey else 3

    @property
    def class_names(self) -> tuple[str, ...]:
        """See `Task`."""
        return cifar10_file.CLASSES

    def source(self) -> dict[str, object]:
        """See `Task`: grey pictures are other examples."""
        return {"grey": self.settings.grey}

    def locate(self, root: Path) -> Located:
        """Find the archive in the root; it is downloaded where it is missing.

        Raises:
            DataNotFound: it is missing and cannot be downloaded.
            ValueError: it is not the published one.
        """
        is_new = not (root / cifar10_file.FILE).exists()
        path = cifar10_file.find(root)
        notice = f"downloaded CIFAR-10 to {path}" if is_new else ""
        return self.located([cifar10_file.MD5], ((str(path), cifar10_file.MD5),), notice)

    def load(self, located: Located) -> "Examples":
        """See `Task`. `locate` has verified the checksum."""
        from mnist_seq.tasks.examples import Examples, Part

        x, y, test_x, test_y = cifar10_file.read(Path(located.files[0][0]))
        if self.settings.grey:
            x, test_x = cifar10_file.luma(x), cifar10_file.luma(test_x)
        return Examples(Part(x, y), Part(test_x, test_y))

    def affine(self) -> tuple[float, float]:
        """See `Task`; colours are scaled alike."""
        if self.settings.normalize == "unit":
            return 1 / 255, 0.0
        mean, sd = _GREY if self.settings.grey else _COLOUR
        return 1 / (255 * sd), -mean / sd

    def read(self, x: "Tensor") -> "Tensor":
        """Rows, columns or pixels; the colours of a pixel stay together.

        Args:
            x: [N, 32, 32, channels].

        Returns:
            [N, T, D].
        """
        import torch

        from mnist_seq.tasks.images.permutation import order

        data = self.settings
        if data.is_grid:
            lines = x if data.sequence == "rows" else x.transpose(1, 2)
            return lines.reshape(len(x), 32, -1).contiguous()
        pixels = x.reshape(len(x), 32 * 32, -1)
        if data.sequence == "permuted":
            wanted = torch.from_numpy(order(data.permutation, 32 * 32)).to(x.device)
            pixels = pixels.index_select(1, wanted)
        return pixels.reshape(len(x), 32 * 32 // data.chunk, -1).contiguous()

    def draw(self, x: "np.ndarray") -> None:
        """See `Task`: pictures of 28 x 28 grey pixels are drawn, and these are none."""
