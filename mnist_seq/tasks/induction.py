"""Induction: the word that followed the special word, when the special word came before.

Source: the induction heads task of Gu & Dao 2023, arXiv:2312.00752, appendix E.1.
"""

from typing import TYPE_CHECKING

from mnist_seq.config.schema.data import Induction as InductionSettings
from mnist_seq.tasks import Spec
from mnist_seq.tasks.streams import Stream, of_classes

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Part


class Induction(Stream):
    """The last word is the special one, which is the last of the vocabulary."""

    title = "Induction"
    settings: InductionSettings

    def describe(self, length: int) -> Spec:
        """See `Stream`."""
        size = self.settings.vocabulary
        return Spec("token", size, "class", size, time_steps=length)

    def rule(self, length: int) -> str:
        """See `Stream`."""
        return "" if length >= 3 else "3 or more"

    def make(self, draw: "np.random.RandomState", num: int, length: int) -> "Part":
        """See `Stream`."""
        import numpy as np

        from mnist_seq.tasks.examples import Part

        special, rows = self.settings.vocabulary - 1, np.arange(num)
        x = draw.randint(special, size=(num, length))
        place = draw.randint(length - 2, size=num)
        x[rows, place] = x[:, -1] = special
        return Part(x, x[rows, place + 1])

    def guess_at(self, length: int) -> dict[str, float]:
        """See `Stream`."""
        return of_classes(self.settings.vocabulary - 1)
