"""What the runs say about single test images."""

from collections.abc import Callable, Sequence

import numpy as np

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.evidence import Confusion, Digit, Exchanged, Predictions
from mnist_seq.stats import Disagreements, confusion_matrix, disagreements

# Pictures of test images by their indexes, N x 28 x 28 bytes, or None where they cannot be had
Images = Callable[[Sequence[int]], np.ndarray | None]

NUM_CONTESTED = 24  # pictures of the images that the runs agree least on
NUM_EXCHANGED = 8  # pictures a variant, each way


class _Table:
    """Predictions of one test set: one row a run, one column an image."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.labels = np.zeros(0, dtype=np.int64)
        self.rows: dict[int, np.ndarray] = {}
        for place, group in enumerate(groups):
            found = [p for run in group.finished if (p := run.predictions) is not None]
            if found and not len(self.labels):
                self.labels = found[0][0].astype(np.int64)
            same = [p for labels, p in found if np.array_equal(labels, self.labels)]
            if same:
                self.rows[place] = np.stack(same).astype(np.int64)
        self.num_classes = 1 + max(
            [int(self.labels.max(initial=0)), *(int(rows.max()) for rows in self.rows.values())]
        )


def predictions(groups: Sequence[Group], images: Images | None) -> Predictions | None:
    """Confusions, contested images, and those that a variant loses and gains; None without any.

    Args:
        images: None where pictures cannot be had.
    """
    table = _Table(groups)
    if not table.rows:
        return None
    labels = table.labels
    whole = np.concatenate(list(table.rows.values()))
    contested = disagreements(labels, whole, whole).contested
    exchanges = []
    for place, group in enumerate(groups):
        base = group.baseline
        if base is not None and base != place and place in table.rows and base in table.rows:
            exchanges.append((place, disagreements(labels, table.rows[place], table.rows[base])))
    wanted = {int(i) for i in contested[:NUM_CONTESTED]}
    for _, found in exchanges:
        wanted |= {int(i) for i in (*found.lost[:NUM_EXCHANGED], *found.gained[:NUM_EXCHANGED])}
    pixels = _pixels(sorted(wanted), images)

    return Predictions(
        num_images=len(labels),
        num_contested=len(contested),
        confusions=tuple(_confusion(place, table) for place in table.rows),
        contested=tuple(_digit(int(i), labels, whole, pixels) for i in contested[:NUM_CONTESTED]),
        exchanged=tuple(
            _exchanged(place, found, labels, table.rows[place], pixels)
            for place, found in exchanges
        ),
    )


def _exchanged(
    place: int,
    found: Disagreements,
    labels: np.ndarray,
    rows: np.ndarray,
    pixels: dict[int, bytes],
) -> Exchanged:
    lost, gained = found.lost[:NUM_EXCHANGED], found.gained[:NUM_EXCHANGED]
    return Exchanged(
        variant=place,
        num_lost=len(found.lost),
        num_gained=len(found.gained),
        lost=tuple(_digit(int(i), labels, rows, pixels) for i in lost),
        gained=tuple(_digit(int(i), labels, rows, pixels) for i in gained),
    )


def _digit(index: int, labels: np.ndarray, rows: np.ndarray, pixels: dict[int, bytes]) -> Digit:
    classes, numbers = np.unique(rows[:, index], return_counts=True)
    order = np.argsort(-numbers, kind="stable")
    said = tuple((int(classes[i]), int(numbers[i])) for i in order)
    return Digit(index, int(labels[index]), said, pixels.get(index, b""))


def _confusion(place: int, table: _Table) -> Confusion:
    rows = table.rows[place]
    found = [confusion_matrix(table.labels, row, table.num_classes) for row in rows]
    counts = np.mean(found, axis=0)
    return Confusion(place, len(rows), tuple(tuple(float(x) for x in row) for row in counts))


def _pixels(indexes: Sequence[int], images: Images | None) -> dict[int, bytes]:
    if not indexes or images is None:
        return {}
    found = images(indexes)
    if found is None:
        return {}
    return {
        i: bytes(np.ascontiguousarray(x, np.uint8)) for i, x in zip(indexes, found, strict=True)
    }
