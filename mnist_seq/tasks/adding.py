"""Adding: the sum of the two marked values of a sequence.

Source: Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, experiment 4. The variants
are not the same task: `halves` is that of Arjovsky et al. 2016 (arXiv:1511.06464), Gu et al. 2022
(arXiv:2111.00396) and Rusch & Mishra 2021 (arXiv:2010.00951), `anywhere` that of Bai et al. 2018
(arXiv:1803.01271). `hochreiter` has values of -1 to 1, markers -1 at both ends, and targets
0.5 + (X1 + X2) / 4. Differs: its lengths are those of `data.min_length` and `data.length`, and the
first step is never marked as a summand.
"""

from typing import TYPE_CHECKING

from mnist_seq.config.schema.data import Adding as AddingSettings
from mnist_seq.tasks import Spec
from mnist_seq.tasks.streams import Stream

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Part


class Adding(Stream):
    """Two inputs a time step: a value, and a marker that is 1 at two steps and 0 elsewhere."""

    title = "Adding"
    settings: AddingSettings

    def describe(self, length: int) -> Spec:
        """See `Stream`."""
        return Spec("vector", 2, "value", 1, time_steps=length)

    def rule(self, length: int) -> str:
        """See `Stream`."""
        least = 24 if self.settings.variant == "hochreiter" else 2
        return "" if length >= least else f"{least} or more"

    def make(self, draw: "np.random.RandomState", num: int, length: int) -> "Part":
        """See `Stream`."""
        import numpy as np

        from mnist_seq.tasks.examples import Part

        x, rows = np.zeros((num, length, 2), dtype=np.float32), np.arange(num)
        x[:, :, 0] = draw.random_sample((num, length))
        if self.settings.variant == "halves":
            first = draw.randint(length // 2, size=num)
            second = draw.randint(length // 2, length, size=num)
        elif self.settings.variant == "anywhere":
            first, second = draw.random_sample((num, length)).argsort(1, kind="stable")[:, :2].T
        else:
            x[:, :, 0] = 2 * x[:, :, 0] - 1
            x[:, (0, -1), 1] = -1
            first = draw.randint(1, 10, size=num)
            second = draw.randint(1, length // 2 - 1, size=num)
            second += second >= first  # any step but the first one, and but this one
        x[rows, first, 1] = x[rows, second, 1] = 1
        y = x[rows, first, 0] + x[rows, second, 0]
        return Part(x, y if self.settings.variant != "hochreiter" else 0.5 + y / 4)

    def guess_at(self, length: int) -> dict[str, float]:
        """See `Stream`: the mean of the sum of two values of uniform distributions."""
        mse, mae = (1 / 24, 1 / 6) if self.settings.variant == "hochreiter" else (1 / 6, 1 / 3)
        return {"mse": mse, "mae": mae, "r2": 0.0, "loss": mse}
