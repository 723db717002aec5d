"""Tasks by name, as their YAML stands, and their examples as tensors: what the tests here need."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mnist_seq import tasks
from mnist_seq.config.reference import default_data
from mnist_seq.tasks import Located, Task, task_class
from mnist_seq.tasks.batches.split import Split
from mnist_seq.tasks.batches.task_data import TaskData
from mnist_seq.tasks.examples import Examples, Part, checked
from mnist_seq.tasks.sources.published import Source


class Images(NamedTuple):
    """The examples of a data set."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def make_task(
    name: str = "mnist_5k",
    *,
    sources: dict[str, Source] | None = None,
    patience_s: float = 20.0,
    **keys: Any,
) -> Task:
    """A task as its YAML stands, with some keys changed.

    Args:
        sources: files to stand in place of the published ones, by the task's name.
    """
    kind = task_class(name)
    if sources:
        kind = type(kind.__name__, (kind,), {"files": sources[name], "patience_s": patience_s})
    return kind(default_data(name, **keys))


def locate(name: str, root: Path, **keys: Any) -> Located:
    """Where a task's examples lie."""
    return tasks.locate(make_task(name, **keys), root)


def load(located: Located) -> Images:
    """The examples that were located."""
    found = make_task(located.name).load(located)
    return Images(
        *map(torch.from_numpy, (found.train.x, found.train.y, found.test.x, found.test.y))
    )


def examples(images: Images) -> Examples:
    """Tensors as a task would return them."""
    x, y, test_x, test_y = (tensor.numpy() for tensor in images)
    return Examples(Part(x, y), Part(test_x, test_y))


def make_data(
    images: Images,
    *,
    name: str = "mnist_5k",
    split: Split,
    device: torch.device | None = None,
    fingerprint: str = "",
    **keys: Any,
) -> TaskData:
    """The data of a run."""
    task = make_task(name, **keys)
    sizes = {"training set": len(images.train_labels), "test set": len(images.test_labels)}
    return TaskData(
        task,
        checked(examples(images), task.spec, sizes, name),
        split=split,
        device=device or torch.device("cpu"),
        fingerprint=fingerprint,
    )
