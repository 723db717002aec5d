"""The contract of a task: a data set, what a net answers on it, and how the answers are judged.

A task is one YAML, `conf/data/<name>.yaml`, and one file, `mnist_seq/tasks/<name>.py`, which holds
one class derived from `Task`. Both are found by scanning; nothing else is edited. Life cycle:

1. `task_of(config.data)` makes the task while a run is planned. Steps 1 to 3 must not import torch.
2. `spec`, `num_train`, `num_test` and `check` describe the task. They read settings, and no files.
3. `locate` finds the examples, once for a whole sweep, and computes their fingerprint. Only this
   step may write files (a download) and use the network.
4. `load` reads all examples into memory, in the process that trains.
5. `read` turns them into sequences on the run's device. Batches are taken from these.
6. `draw` and `test_pictures` draw examples for people, if the task can.

`metrics_of` derives loss and metrics from the spec. `mnist_seq.tasks.batches` splits the training
set and makes batches; a task does not deal with this.
"""

import dataclasses
import functools
import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mnist_seq.config.paths import options
from mnist_seq.config.schema import Data
from mnist_seq.tasks.located import (
    DataNotFound,
    Located,
    absolute,
    fingerprint,
    locate,
    remember,
)
from mnist_seq.tasks.spec import Metric, Spec, metrics_of

__all__ = [
    "DataNotFound",
    "Located",
    "Metric",
    "Spec",
    "Task",
    "fingerprint",
    "locate",
    "record",
    "remember",
    "task_class",
    "task_of",
    "test_pictures",
]

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from mnist_seq.tasks.examples import Examples


class Task:
    """One data set with the settings of a run. Base class; a member overrides what differs.

    Attributes:
        title: name for readers.
        noun: word for its examples in messages.
        num_train, num_test: sizes of the training set, which `data.valid` and `data.limit` divide,
            and of the test set.
        is_stream: whether the training set is generated without end; see `mnist_seq.tasks.streams`.
        version: must be raised when a change of the code changes the generated examples.
        settings: the keys of `data=`; `settings.options()` has the keys of this data set only.
    """

    title: ClassVar[str]
    noun: ClassVar[str] = "examples"
    num_train: int
    num_test: int
    version: ClassVar[int] = 1
    is_stream: ClassVar[bool] = False

    def __init__(self, settings: Data) -> None:
        self.settings = settings

    @property
    def name(self) -> str:
        """The value of `data`."""
        return self.settings.name

    @property
    def spec(self) -> Spec:
        """Input, output and shapes."""
        raise NotImplementedError

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics of an evaluation; the first one is used for every choice."""
        return metrics_of(self.spec.output, per_step=self.spec.per_step)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in their order; empty where they are numbers."""
        return ()

    @property
    def probes(self) -> tuple[int, ...]:
        """Lengths of further test sequences, which are read once, at the end."""
        return ()

    def guess_at(self, length: int) -> dict[str, float]:
        """Metrics of the best answer that ignores the input, on sequences of a probe's length."""
        raise NotImplementedError

    @property
    def epoch_size(self) -> int:
        """Training examples of an epoch."""
        data = self.settings
        if data.limit != "all":
            return data.limit
        return self.num_train - (0 if self.has_own_valid else self.num_valid)

    @property
    def num_valid(self) -> int:
        """Validation examples."""
        return self.settings.valid

    @property
    def has_own_valid(self) -> bool:
        """Whether the last `num_valid` examples of `load` are for validation, and none is drawn."""
        return False

    @property
    def main(self) -> str:
        """The metric that is used for every choice, as `valid/<main>`."""
        return next(iter(self.metrics))

    def check(self) -> None:
        """Refuse settings that are impossible together.

        Raises:
            ConfigError: names the key, the value and the way out.
        """

    def source(self) -> dict[str, Any]:
        """The settings that determine the examples; by default all keys of this data set."""
        return self.settings.options()

    def locate(self, root: Path) -> Located:
        """Find the examples. By default there is nothing to find, because `load` generates them.

        Raises:
            ValueError: they are not available.
        """
        return self.located([str(self.version)])

    def located(
        self, parts: Sequence[str], files: tuple[tuple[str, str], ...] = (), notice: str = ""
    ) -> Located:
        """Make the result of `locate`; `parts` determine the content in addition to `source`."""
        source = self.source()
        more = [json.dumps(source, sort_keys=True)] if source else []
        return Located(
            requested=self.name,
            name=self.name,
            files=files,
            fingerprint=fingerprint(self.name, [*parts, *more]),
            notice=notice,
            source=json.dumps(source, sort_keys=True),
        )

    def load(self, located: Located) -> "Examples":
        """Read or generate all examples. The same settings give the same examples on any machine.

        Raises:
            ValueError: a file has another content than expected.
        """
        raise NotImplementedError

    def num_loaded(self) -> dict[str, int]:
        """How many examples each of the two parts of `load` must have, by what it is called."""
        return {"training set": self.num_train, "test set": self.num_test}

    def affine(self) -> tuple[float, float]:
        """(scale, offset): the network gets offset + scale * x."""
        return 1.0, 0.0

    def read(self, x: "Tensor") -> "Tensor":
        """Turn examples into sequences [N, T, D], or tokens [N, T]; unchanged by default."""
        return x

    def guess(self, examples: "Examples") -> dict[str, float]:
        """Metrics on test of the best answer that ignores the input.

        By default this answer is computed from the test targets. A task with a formula for it
        overrides this method.
        """
        from mnist_seq.tasks.examples import best_constant

        return best_constant(examples.test, self.spec)

    def plateaus(self) -> dict[str, float]:
        """What else is no solution, in words, with its value of `main` on test.

        Runs that are not better are not shown to learn.
        """
        return {}

    @property
    def num_padded(self) -> int:
        """How many of a sequence's time steps are those of `padding`, behind what `read` gives."""
        return 0

    def padding(self, of: Literal["train", "test"], rows: Sequence[int]) -> "np.ndarray":
        """The last time steps [B, num_padded, D] of the examples at some rows of a set."""
        raise NotImplementedError

    def identity(self) -> dict[str, str | int]:
        """What must be equal in two runs that are compared, in addition to data and split."""
        return {}

    def draw(self, x: "np.ndarray") -> "np.ndarray | None":
        """Pictures of examples, bytes [N, 28, 28]; None if they cannot be drawn."""
        return None

    @classmethod
    def test_pictures(cls, root: Path, indexes: Sequence[int]) -> "np.ndarray | None":
        """Pictures of test examples for a report, or None. Must not download or import torch."""
        return None

    @classmethod
    def preload(cls) -> None:
        """Prepare what every process of a sweep needs; called once, before they are forked."""


@functools.cache
def task_class(name: str) -> type[Task]:
    """The class in a task's file.

    Raises:
        ValueError: there is no such task, or its file does not define exactly one class of this
            kind.
    """
    if name not in options("data"):
        raise ValueError(
            f"data must be one of {', '.join(options('data'))}: data={name}; choose one of them"
        )
    try:
        module = importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise ValueError(
            f"conf/data/{name}.yaml needs the file mnist_seq/tasks/{name}.py, which is not there"
        ) from None
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Task) and each.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise ValueError(
            f"mnist_seq/tasks/{name}.py must hold one class derived from Task: found {len(found)}"
        )
    return found[0]


def task_of(settings: Data) -> Task:
    """The task that a run's `data` settings choose.

    Raises:
        ValueError: see `task_class`.
    """
    return task_class(settings.name)(settings)


def test_pictures(name: str, roots: Sequence[Path], indexes: Sequence[int]) -> "np.ndarray | None":
    """Pictures of test examples of a data set; None if it is in none of the roots."""
    if name not in options("data"):
        return None
    found = (task_class(name).test_pictures(absolute(root), indexes) for root in roots)
    return next((pictures for pictures in found if pictures is not None), None)


def record(task: Task, guess: Mapping[str, float]) -> dict[str, Any]:
    """The task as recorded in run.json, so that a report does not need the task's code."""
    spec = task.spec
    probes = {str(length): task.guess_at(length) for length in task.probes}
    extra = {"probes": probes, "plateaus": task.plateaus(), "classes": list(task.class_names)}
    return {
        "name": task.name,
        "noun": task.noun,
        "output": spec.output,
        "num_outputs": spec.num_outputs,
        "per_step": spec.per_step,
        "time_steps": spec.time_steps,
        "input_size": spec.input_size,
        "main": task.main,
        "metrics": {name: dataclasses.asdict(metric) for name, metric in task.metrics.items()},
        "guess": dict(guess),
        **{name: each for name, each in extra.items() if each},
    }
