"""Even pairs: whether neighbouring bits differ an even number of times.

Source: Deletang et al. 2023, arXiv:2207.02098. Differs: the answer is read at the last bit, not at
a time step of its own behind it.
"""

from typing import TYPE_CHECKING

from mnist_seq.tasks import Spec
from mnist_seq.tasks.streams import Stream, of_classes

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Part


class EvenPairs(Stream):
    """Two words; class 1 where the first and the last bit are equal, which says the same."""

    title = "Even pairs"

    def describe(self, length: int) -> Spec:
        """See `Stream`."""
        return Spec("token", 2, "class", 2, time_steps=length)

    def rule(self, length: int) -> str:
        """See `Stream`: one bit alone has one answer."""
        return "" if length > 1 else "2 or more"

    def make(self, draw: "np.random.RandomState", num: int, length: int) -> "Part":
        """See `Stream`."""
        from mnist_seq.tasks.examples import Part

        bits = draw.randint(2, size=(num, length))
        return Part(bits, (bits[:, 0] == bits[:, -1]).astype(bits.dtype))

    def guess_at(self, length: int) -> dict[str, float]:
        """See `Stream`."""
        return of_classes(2)
