"""Copying: symbols are said again after a pause of blanks.

A sequence has `items` symbols (1 to `symbols`), blanks (0), and a marker (`symbols` + 1). Variants:
`one_marker` has the marker once, one step before the answer (Arjovsky et al. 2016,
arXiv:1511.06464); `markers` has it from there to the end (Bai et al. 2018, arXiv:1803.01271, whose
network reads the number of the symbol, where this one reads words); `on_marker` has it once, and
the answer begins at its step (Lezcano-Casado & Martinez-Rubio 2019, arXiv:1901.08428).
"""

import math
from typing import TYPE_CHECKING

from mnist_seq.config.schema.data import Copying as CopyingSettings
from mnist_seq.tasks import Spec
from mnist_seq.tasks.streams import Stream, of_classes

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Part


class Copying(Stream):
    """Time steps: symbols, `length` of blanks and marker, then as many for the answer."""

    title = "Copying"
    settings: CopyingSettings

    def describe(self, length: int) -> Spec:
        """See `Stream`."""
        num, steps = self.settings.symbols, length + 2 * self.settings.items
        return Spec("token", num + 2, "class", num + 1, time_steps=steps, per_step=True)

    def make(self, draw: "np.random.RandomState", num: int, length: int) -> "Part":
        """See `Stream`."""
        import numpy as np

        from mnist_seq.tasks.examples import Part

        settings, steps = self.settings, self.describe(length).time_steps
        items, marker, answer = settings.items, settings.symbols + 1, steps - settings.items
        x, y = (np.zeros((num, steps), dtype=np.int64) for _ in "xy")
        x[:, :items] = y[:, answer:] = draw.randint(1, marker, size=(num, items))
        if settings.variant == "markers":
            x[:, answer - 1 :] = marker
        else:
            x[:, answer - (settings.variant == "one_marker")] = marker
        if settings.counts == "all":
            return Part(x, y)
        mask = np.zeros((num, steps), dtype=bool)
        mask[:, answer:] = True
        return Part(x, y, mask=mask)

    def guess_at(self, length: int) -> dict[str, float]:
        """See `Stream`: blanks are known by the step, and each symbol is as likely as another."""
        settings, items = self.settings, self.settings.items
        if settings.counts == "recall":
            return of_classes(settings.symbols)
        steps = length + 2 * items
        right = steps - items + items / settings.symbols
        return {"accuracy": right / steps, "loss": items * math.log(settings.symbols) / steps}
