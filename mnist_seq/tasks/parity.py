"""Parity: whether the number of ones in a string of bits is odd.

Source: Deletang et al. 2023, arXiv:2207.02098. Differs: the answer is read at the last bit, not at
a time step of its own behind it.
"""

from typing import TYPE_CHECKING

from mnist_seq.tasks import Spec
from mnist_seq.tasks.streams import Stream, of_classes

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Part


class Parity(Stream):
    """Two words, 0 and 1; class 1 where the number of ones is odd."""

    title = "Parity"

    def describe(self, length: int) -> Spec:
        """See `Stream`."""
        return Spec("token", 2, "class", 2, time_steps=length)

    def make(self, draw: "np.random.RandomState", num: int, length: int) -> "Part":
        """See `Stream`."""
        from mnist_seq.tasks.examples import Part

        bits = draw.randint(2, size=(num, length))
        return Part(bits, bits.sum(1) % 2)

    def guess_at(self, length: int) -> dict[str, float]:
        """See `Stream`."""
        return of_classes(2)
