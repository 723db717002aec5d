"""Collects the predictions of the test examples, by variant."""

from collections.abc import Callable, Sequence

import numpy as np

from mnist_seq.report.analyse.grouping import Group

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
