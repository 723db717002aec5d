"""The contract of a task: a data set, what a net answers on it, and how the answers are judged.

A task is one YAML, `conf/data/<name>.yaml`, and one file, `mnist_seq/tasks/<name>.py`, which holds
one class derived from `Task`. Both are found by scanning; nothing else is edited. What is called,
in this order:

1. `task_of(config.data)` makes the task while a run is planned. No torch up to step 4.
2. `spec`, `num_train`, `num_test` and `check` say what is trained. They read settings, no files.
3. `locate` finds the examples, once a sweep, and gives them a fingerprint. It alone may write (a
   download) and ask the network.
4. `load` reads all examples into memory, in the process that trains.
5. `read` turns them into sequences on the run's device; batches are cut out of these.
6. `pictures` draws examples for people, if the task can.

Loss and metrics follow from the spec: see `metrics_of`. `mnist_seq.tasks.batches` splits the
training set and gives batches; a task knows nothing of it.
"""

import dataclasses
import functools
import hashlib
import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mnist_seq.config.paths import options
from mnist_seq.config.schema import Data
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


@dataclass(frozen=True)
class Located:
    """Where one data set's verified bytes lie: small, picklable, JSON-able through asdict.

    Args:
        requested: what the config asked for, e.g. "mnist".
        name: what it is; differs from `requested` only where another data set stands in.
        files: (absolute path, checksum of the content); empty where no file is read.
        fingerprint: sha256 over name and content: the identity of the data in run.json.
        notice: the one line to announce, or "".
        source: the settings that decide which examples these are, as JSON.
    """

    requested: str
    name: str
    files: tuple[tuple[str, str], ...]
    fingerprint: str
    notice: str
    source: str = "{}"


class DataNotFound(ValueError):
    """Files of a data set are missing, could not be had, and nothing may replace them."""


class Task:
    """One data set with the settings of a run. A member overrides what it says differently.

    Attributes:
        title: the name that readers know it by.
        noun: what its examples are called in messages.
        num_train, num_test: sizes of the training set, which `data.valid` and `data.limit` divide,
            and of the test set.
        version: to be raised when the code that makes examples changes what it makes.
        settings: the keys of `data=`; those of its own are in `settings.options()`.
    """

    title: ClassVar[str]
    noun: ClassVar[str] = "examples"
    num_train: int
    num_test: int
    version: ClassVar[int] = 1

    def __init__(self, settings: Data) -> None:
        self.settings = settings

    @property
    def name(self) -> str:
        """The value of `data`."""
        return self.settings.name

    @property
    def spec(self) -> Spec:
        """What goes in and what comes out."""
        raise NotImplementedError

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics of an evaluation; the first is the one that choices go by."""
        return metrics_of(self.spec.output, per_step=self.spec.per_step)

    @property
    def main(self) -> str:
        """The metric that choices go by: `valid/<main>`."""
        return next(iter(self.metrics))

    def check(self) -> None:
        """Refuse settings that do not go together.

        Raises:
            ConfigError: names the key, the value and the way out.
        """

    def source(self) -> dict[str, Any]:
        """The settings that decide which examples there are; by default all keys of its own."""
        return self.settings.options()

    def locate(self, root: Path) -> Located:
        """Find the examples, or say how they will be made. By default they are made by `load`.

        Raises:
            ValueError: they cannot be had.
        """
        return self.located([str(self.version)])

    def located(
        self, parts: Sequence[str], files: tuple[tuple[str, str], ...] = (), notice: str = ""
    ) -> Located:
        """What `locate` returns.

        Args:
            parts: all that the content hangs on beside `source`, such as checksums.
        """
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
        """Read or make all examples. The same call gives the same examples, on any machine.

        Raises:
            ValueError: a file is not what its place says.
        """
        raise NotImplementedError

    def affine(self) -> tuple[float, float]:
        """(scale, offset): a net sees offset + scale * x."""
        return 1.0, 0.0

    def read(self, x: "Tensor") -> "Tensor":
        """Examples as sequences: [N, T, D], or tokens [N, T]. By default they are sequences."""
        return x

    def guess(self, examples: "Examples") -> dict[str, float]:
        """What the best answer that ignores the input gets on test, by metric.

        By default it is fitted on the test targets themselves. A task that knows the formula
        overrides this.
        """
        from mnist_seq.tasks.examples import best_constant

        return best_constant(examples.test, self.spec)

    def identity(self) -> dict[str, str | int]:
        """What beside data and split must be equal for two runs to be compared."""
        return {}

    def draw(self, x: "np.ndarray") -> "np.ndarray | None":
        """Pictures of examples, bytes [N, 28, 28], or None where they are no pictures."""
        return None

    @classmethod
    def test_pictures(cls, root: Path, indexes: Sequence[int]) -> "np.ndarray | None":
        """Pictures of test examples for a report, or None; without a download and without torch."""
        return None

    @classmethod
    def preload(cls) -> None:
        """Do once what each process of a sweep would do again; called before they are forked."""


def fingerprint(name: str, parts: Sequence[str]) -> str:
    """sha256 over a name and what identifies a content."""
    return hashlib.sha256("\n".join([name, *parts]).encode()).hexdigest()


@functools.cache
def task_class(name: str) -> type[Task]:
    """The class in a task's file.

    Raises:
        ValueError: there is no such task, or its file does not hold one class of this kind.
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


# What this process has located already, by (requested name, absolute root, source)
_located: dict[tuple[str, Path, str], Located] = {}


def locate(task: Task, root: Path) -> Located:
    """Where a task's examples lie; a second call in one process costs nothing.

    Raises:
        ValueError: they cannot be had; see `Task.locate`.
    """
    folder = _absolute(root)
    key = (task.name, folder, json.dumps(task.source(), sort_keys=True))
    if key not in _located:
        _located[key] = task.locate(folder)
    return _located[key]


def remember(located: Located, root: Path) -> None:
    """Take over what another process located, so that this one neither hashes nor probes.

    A sweep's parent verifies the data once and hands the result to its worker processes.
    """
    _located[(located.requested, _absolute(root), located.source)] = located


def test_pictures(name: str, roots: Sequence[Path], indexes: Sequence[int]) -> "np.ndarray | None":
    """Pictures of a data set's test examples, or None where it lies in none of the roots."""
    if name not in options("data"):
        return None
    found = (task_class(name).test_pictures(_absolute(root), indexes) for root in roots)
    return next((pictures for pictures in found if pictures is not None), None)


def record(task: Task, guess: Mapping[str, float]) -> dict[str, Any]:
    """A task as run.json holds it: enough to judge the run without this code."""
    spec = task.spec
    return {
        "name": task.name,
        "output": spec.output,
        "num_outputs": spec.num_outputs,
        "per_step": spec.per_step,
        "time_steps": spec.time_steps,
        "input_size": spec.input_size,
        "main": task.main,
        "metrics": {name: dataclasses.asdict(metric) for name, metric in task.metrics.items()},
        "guess": dict(guess),
    }


def _absolute(root: Path) -> Path:
    return Path(root).expanduser().absolute()
