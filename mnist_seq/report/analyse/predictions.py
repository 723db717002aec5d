"""Collects the predictions of the test examples, by variant."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.read.task_record import TaskRecord
from mnist_seq.stats import confusion_matrix

MAX_CLASSES = 40  # of a table: those that are confused most
MAX_NAME = 24  # letters of a class's name

# (indices) -> pictures of test images, N x 28 x 28 bytes; None where they are not available
Images = Callable[[Sequence[int]], np.ndarray | None]


class Predictions:
    """Predicted classes on one test set: a row for each run, a column for each example.

    Attributes:
        rows: predictions by the position of their group; groups without predictions are absent.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self.labels = np.zeros(0, dtype=np.int64)
        self.rows: dict[int, np.ndarray] = {}
        for place, group in enumerate(groups):
            found = [p for run in group.finished if (p := run.classes) is not None]
            if found and not len(self.labels):
                self.labels = found[0][0].astype(np.int64)
            same = [p for labels, p in found if np.array_equal(labels, self.labels)]
            if same:
                self.rows[place] = np.stack(same).astype(np.int64)
        self.num_classes = 1 + max(
            [int(self.labels.max(initial=0)), *(int(rows.max()) for rows in self.rows.values())]
        )


@dataclass(frozen=True)
class Confusion:
    """Mean counts a run: row is the label, column the prediction."""

    variant: int
    n: int
    counts: tuple[tuple[float, ...], ...]

    @property
    def recall(self) -> list[float]:
        """Percent of each class that is read right; NaN for a class without examples."""
        return [
            100 * row[i] / total if (total := sum(row)) else math.nan
            for i, row in enumerate(self.counts)
        ]


def confusion(place: int, table: Predictions) -> Confusion:
    """The mean confusions of a variant."""
    rows = table.rows[place]
    found = [confusion_matrix(table.labels, row, table.num_classes) for row in rows]
    counts = np.mean(found, axis=0)
    return Confusion(place, len(rows), tuple(tuple(float(x) for x in row) for row in counts))


def class_names(task: TaskRecord, num: int) -> tuple[str, ...]:
    """A short name of each class, each once."""
    names = [name[:MAX_NAME] for name in task.classes]
    if len(names) < num:
        return tuple(map(str, range(num)))
    return tuple(f"{i} {name}" if names.count(name) > 1 or not name else name
                 for i, name in enumerate(names))  # fmt: skip


def most_confused(found: Sequence[Confusion], num: int) -> tuple[int, ...]:
    """The classes that are confused most, in their order."""
    counts = np.sum([c.counts for c in found], axis=0)
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    most = np.argsort(-wrong, kind="stable")[:MAX_CLASSES]
    return tuple(int(i) for i in sorted(most)) if num > MAX_CLASSES else tuple(range(num))


def pixels_of(indexes: Sequence[int], images: Images | None) -> dict[int, bytes]:
    """Pictures of test examples, those that can be drawn."""
    if not indexes or images is None:
        return {}
    found = images(indexes)
    if found is None:
        return {}
    return {
        i: bytes(np.ascontiguousarray(x, np.uint8)) for i, x in zip(indexes, found, strict=True)
    }
