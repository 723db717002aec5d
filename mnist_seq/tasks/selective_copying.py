"""Selective copying: symbols that stand at random places among blanks are said again in order.

Source: Gu & Dao 2023, arXiv:2312.00752, appendix E.1; the sequences are those of S4's variable
copying (Gu et al. 2022, arXiv:2111.00396).
"""

from typing import TYPE_CHECKING

from mnist_seq.config.schema.data import SelectiveCopying as SelectiveCopyingSettings
from mnist_seq.tasks import Spec
from mnist_seq.tasks.streams import Stream, of_classes

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Part


class SelectiveCopying(Stream):
    """Words: 0 the blank, then the symbols, the last one the marker, which asks for the answer."""

    title = "Selective copying"
    settings: SelectiveCopyingSettings

    def describe(self, length: int) -> Spec:
        """See `Stream`."""
        size, steps = self.settings.vocabulary, length + 2 * self.settings.items
        return Spec("token", size, "class", size, time_steps=steps, per_step=True)

    def make(self, draw: "np.random.RandomState", num: int, length: int) -> "Part":
        """See `Stream`."""
        import numpy as np

        from mnist_seq.tasks.examples import Part

        items, marker = self.settings.items, self.settings.vocabulary - 1
        x = np.zeros((num, length + 2 * items), dtype=np.int64)
        x[:, -items:] = marker
        order = draw.random_sample((num, length + items)).argsort(1, kind="stable")
        places, symbols = np.sort(order[:, :items], 1), draw.randint(1, marker, size=(num, items))
        np.put_along_axis(x, places, symbols, 1)
        y, mask = np.zeros_like(x), np.zeros(x.shape, dtype=bool)
        y[:, -items:], mask[:, -items:] = symbols, True
        return Part(x, y, mask=mask)

    def guess_at(self, length: int) -> dict[str, float]:
        """See `Stream`."""
        return of_classes(self.settings.vocabulary - 2)
