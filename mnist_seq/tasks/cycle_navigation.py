"""Cycle navigation: the place of a walker on a circle after some moves.

Source: Deletang et al. 2023, arXiv:2207.02098. Differs: the answer is read at the last move, not at
a time step of its own behind it.
"""

from typing import TYPE_CHECKING

from mnist_seq.config.schema.data import CycleNavigation as CycleNavigationSettings
from mnist_seq.tasks import Spec
from mnist_seq.tasks.streams import Stream, most_frequent

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Part


class CycleNavigation(Stream):
    """Three words: 0 stays, 1 goes forward, 2 goes back. The walker starts at place 0."""

    title = "Cycle navigation"
    settings: CycleNavigationSettings

    def describe(self, length: int) -> Spec:
        """See `Stream`."""
        return Spec("token", 3, "class", self.settings.places, time_steps=length)

    def make(self, draw: "np.random.RandomState", num: int, length: int) -> "Part":
        """See `Stream`."""
        from mnist_seq.tasks.examples import Part

        moves = draw.randint(3, size=(num, length))
        forward, back = (moves == 1).sum(1), (moves == 2).sum(1)
        return Part(moves, (forward - back) % self.settings.places)

    def guess_at(self, length: int) -> dict[str, float]:
        """See `Stream`: after few moves the walker is near its start."""
        shares = [1.0] + [0.0] * (self.settings.places - 1)
        for _ in range(length):
            ahead, behind = shares[-1:] + shares[:-1], shares[1:] + shares[:1]
            shares = [sum(each) / 3 for each in zip(shares, ahead, behind, strict=True)]
        return most_frequent(shares)
