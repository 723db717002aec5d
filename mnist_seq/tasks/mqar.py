"""Multi-query associative recall: which value came with each key?

Source: Arora et al. 2024, arXiv:2312.04927, and their code (zoology). Differs: the classes are the
values, not all words; their 100,000 fixed training examples are `data.limit=100000`; their metric
is the mean over examples, ours over all answers; and a length may exceed the vocabulary.
"""

from typing import TYPE_CHECKING

from mnist_seq.config import ConfigError
from mnist_seq.config.schema.data import Recall
from mnist_seq.tasks import Spec
from mnist_seq.tasks.streams import Stream, of_classes

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Part

POWER = 0.01  # of the law by which keys are asked for again: near ones more often


class MQAR(Stream):
    """Words: 0 the blank, keys below half of the vocabulary, values from there on."""

    title = "Multi-query associative recall"
    settings: Recall

    def check(self) -> None:
        """See `Task`."""
        num_keys = self.settings.vocabulary // 2 - 1
        if self.settings.pairs > num_keys:
            raise ConfigError(
                f"data.pairs must not exceed the {num_keys} keys of data.vocabulary="
                f"{self.settings.vocabulary}: data.pairs={self.settings.pairs}; choose fewer"
            )
        super().check()

    def describe(self, length: int) -> Spec:
        """See `Stream`."""
        size = self.settings.vocabulary
        return Spec("token", size, "class", size - size // 2, time_steps=length, per_step=True)

    def rule(self, length: int) -> str:
        """See `Stream`."""
        least = 4 * self.settings.pairs
        return "" if length >= least and length % 2 == 0 else f"even, and {least} or more"

    def make(self, draw: "np.random.RandomState", num: int, length: int) -> "Part":
        """See `Stream`."""
        import numpy as np

        from mnist_seq.tasks.examples import Part

        settings, pairs, half = self.settings, self.settings.pairs, self.settings.vocabulary // 2
        x, y = (np.zeros((num, length), dtype=np.int64) for _ in "xy")
        mask = np.zeros((num, length), dtype=bool)
        keys = 1 + some_of(draw, num, np.ones(half - 1), pairs)
        values = half + some_of(draw, num, np.ones(settings.vocabulary - half), pairs)
        x[:, : 2 * pairs : 2], x[:, 1 : 2 * pairs : 2] = keys, values
        if settings.fill == "random":
            others = draw.randint(settings.vocabulary, size=(num, length - 2 * pairs))
            x[:, 2 * pairs :] = others
        gaps = np.arange(1, (length - 2 * pairs) // 2 + 1, dtype=np.float64)
        places = 2 * pairs + 2 * some_of(draw, num, gaps ** (POWER - 1), pairs)
        np.put_along_axis(x, places, keys, 1)
        np.put_along_axis(y, places, values - half, 1)
        np.put_along_axis(mask, places, values=True, axis=1)
        return Part(x, y, mask=mask)

    def guess_at(self, length: int) -> dict[str, float]:
        """See `Stream`: any value."""
        return of_classes(self.settings.vocabulary - self.settings.vocabulary // 2)

    def plateaus(self) -> dict[str, float]:
        """See `Task`: nets stay here for long, and have recalled nothing by a key."""
        return {"one of the values that occurred": 1 / self.settings.pairs}


def some_of(
    draw: "np.random.RandomState", num: int, weights: "np.ndarray", size: int
) -> "np.ndarray":
    """`num` draws of `size` numbers each, int64, by weights and without replacement.

    The first to come of exponential waiting times are such a draw (Efraimidis & Spirakis 2006).
    """
    import numpy as np

    waits = -np.log1p(-draw.random_sample((num, len(weights)))) / weights
    order: np.ndarray = waits.argsort(1, kind="stable")
    return order[:, :size]
