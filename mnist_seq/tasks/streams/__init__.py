"""Base class of tasks whose sequences are generated: the training set has no end.

A member says what sequences of a length look like (`describe`), makes some (`make`), and knows what
a guess gets (`guess_at`). The rest is done here and in `mnist_seq.tasks.batches.stream_data`:

- The training batch of a step is a function of the run's seed and the step. So a resumed run has
  the batches of a run that was never stopped, and runs of one seed can be compared in pairs.
- Valid, test and probes are drawn by `data.task_seed`, and are the same in all runs.
- All sequences of a batch have one length, so no padding and no mask of it is needed. The length of
  a step's batch is drawn by `data.task_seed`: a stack trains batches of its runs as one tensor.
- An epoch is `data.train` sequences. With `data.limit=n` the first n sequences are the training
  set: their batches come again in each epoch, in another order.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Data, Tokens
from mnist_seq.config.schema import Stream as StreamSettings
from mnist_seq.tasks import Located, Spec, Task

if TYPE_CHECKING:
    import numpy as np

    from mnist_seq.tasks.examples import Examples, Part

VALID, TEST, PROBE, LENGTH, ORDER = range(5)  # what is drawn by the seed of the task
MOST_STEPS = 2**18  # time steps of the sequences of a probe that are made at a time


class Stream(Task):
    """Generated sequences. Base class; a member overrides `describe`, `make` and `guess_at`."""

    noun = "sequences"
    is_stream = True
    settings: StreamSettings

    def __init__(self, settings: Data) -> None:
        assert isinstance(settings, StreamSettings)
        super().__init__(settings)
        self.num_train, self.num_test = settings.train, settings.test

    def describe(self, length: int) -> Spec:
        """The spec of sequences of one length, which may leave out time steps for answers."""
        raise NotImplementedError

    def make(self, draw: "np.random.RandomState", num: int, length: int) -> "Part":
        """Make `num` sequences of a length. All that is random comes from `draw`."""
        raise NotImplementedError

    def guess_at(self, length: int) -> dict[str, float]:
        """See `Task`; by a formula."""
        raise NotImplementedError

    def rule(self, length: int) -> str:
        """What a length must be, where this one is impossible; else ""."""
        return ""

    @property
    def spec(self) -> Spec:
        """See `Task`."""
        spec, shortest = self.spec_at(self.settings.length), self.settings.shortest
        if shortest < self.settings.length:
            return replace(spec, shortest=self.describe(shortest).time_steps)
        return spec

    def spec_at(self, length: int) -> Spec:
        """The spec of the sequences of one length, such as those of a probe."""
        settings, spec = self.settings, self.describe(length)
        if isinstance(settings, Tokens) and settings.embedding != "none":
            return replace(spec, embedding=settings.embedding)
        return spec

    @property
    def probes(self) -> tuple[int, ...]:
        """See `Task`."""
        return tuple(self.settings.probes)

    def lengths(self) -> list[int]:
        """The lengths that a training batch may have."""
        settings = self.settings
        return [n for n in range(settings.shortest, settings.length + 1) if not self.rule(n)]

    def check(self) -> None:
        """See `Task`."""
        settings = self.settings
        keys = {"length": [settings.length], "min_length": [settings.shortest],
                "probes": settings.probes}  # fmt: skip
        for key, lengths in keys.items():
            for length in lengths:
                if rule := self.rule(length):
                    raise ConfigError(f"data.{key} must be {rule}, as a length of data={self.name}:"
                                      f" data.{key}={getattr(settings, key)}")  # fmt: skip
        if settings.shortest > settings.length:
            raise ConfigError(
                f"data.min_length must not exceed data.length: data.min_length={settings.shortest} "
                f"data.length={settings.length}; choose data.min_length=length"
            )
        if len(set(settings.probes)) < len(settings.probes):
            raise ConfigError(f"data.probes must name each length once: data.probes="
                              f"{settings.probes}; leave one out")  # fmt: skip

    @property
    def epoch_size(self) -> int:
        """See `Task`."""
        limit = self.settings.limit
        return self.settings.train if limit == "all" else limit

    def source(self) -> dict[str, Any]:
        """See `Task`."""
        own = self.settings.options()
        return {k: v for k, v in own.items() if k not in ("train", "probes", "embedding")}

    def load(self, located: Located) -> "Examples":
        """The validation and the test set; training batches are made when they are needed."""
        from mnist_seq.tasks.examples import Examples

        settings = self.settings
        parts = (
            self.make(self.draw_by_task(part), num, settings.length)
            for part, num in ((VALID, max(1, settings.valid)), (TEST, settings.test))
        )
        return Examples(*parts)

    def num_loaded(self) -> dict[str, int]:
        """See `Task`."""
        return {"validation set": max(1, self.settings.valid), "test set": self.num_test}

    def probe(self, length: int) -> "Iterator[Part]":
        """As many sequences of another length as test has, a few at a time."""
        most = max(1, MOST_STEPS // self.spec_at(length).time_steps)
        for first in range(0, self.num_test, most):
            num = min(most, self.num_test - first)
            yield self.make(self.draw_by_task(PROBE, length, first), num, length)

    def draw_by_task(self, *words: int) -> "np.random.RandomState":
        """Random numbers that are the same in all runs; NumPy has frozen them for all versions."""
        import numpy as np

        return np.random.RandomState([self.settings.task_seed, *words])

    def draw_by_run(self, seed: int, step: int) -> "np.random.RandomState":
        """Random numbers of a training batch, by a seed of the run (63 bits) and the batch."""
        import numpy as np

        words = [part % 2**32 for whole in (seed, step) for part in (whole, whole >> 32)]
        return np.random.RandomState(words)

    def guess(self, examples: "Examples") -> dict[str, float]:
        """See `Task`."""
        return self.guess_at(self.settings.length)


def of_classes(num: int) -> dict[str, float]:
    """What a guess gets where `num` classes are equally likely."""
    return {"accuracy": 1 / num, "loss": math.log(num)}


def most_frequent(shares: list[float]) -> dict[str, float]:
    """What a guess gets where the classes have these shares."""
    return {
        "accuracy": max(shares),
        "loss": -math.fsum(share * math.log(share) for share in shares if share),
    }
