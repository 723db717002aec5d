"""Copying of bits: vectors of random bits are said again after a pause and a marker.

Source: the copy task of github.com/NicolasZucchet/minimal-LRU, whose pause has 7 time steps.
"""

import math
from typing import TYPE_CHECKING

from mnist_seq.config.schema.data import CopyingBits as CopyingBitsSettings
from mnist_seq.tasks import Spec
from mnist_seq.tasks.streams import Stream

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Part


class CopyingBits(Stream):
    """Inputs: the bits, and a marker; only the answer's time steps count."""

    title = "Copying of bits"
    settings: CopyingBitsSettings

    def describe(self, length: int) -> Spec:
        """See `Stream`."""
        settings = self.settings
        steps = 2 * length + settings.pause + 1
        return Spec("vector", settings.bits + 1, "bits", settings.bits, steps, per_step=True)

    def make(self, draw: "np.random.RandomState", num: int, length: int) -> "Part":
        """See `Stream`."""
        import numpy as np

        from mnist_seq.tasks.examples import Part

        bits, steps = self.settings.bits, self.describe(length).time_steps
        x = np.zeros((num, steps, bits + 1), dtype=np.float32)
        y = np.zeros((num, steps, bits), dtype=np.float32)
        mask = np.zeros((num, steps), dtype=bool)
        x[:, :length, :bits] = y[:, -length:] = draw.randint(2, size=(num, length, bits))
        x[:, length + self.settings.pause, bits] = 1
        mask[:, -length:] = True
        return Part(x, y, mask=mask)

    def guess_at(self, length: int) -> dict[str, float]:
        """See `Stream`."""
        return {"accuracy": 0.5, "loss": math.log(2)}
