"""Divides sequences into training and validation: by class, by whole groups, or at random."""

import numpy as np


def divided(
    classes: np.ndarray | None,
    num_valid: int,
    *,
    seed: int,
    groups: np.ndarray | None = None,
    size: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the training and of the validation sequences, ascending in each.

    Args:
        classes: of the sequences; each has its share of the validation part, as far as whole
            numbers allow. None draws without regard to answers.
        num_valid: sequences for validation; with groups, about as many.
        seed: of NumPy's frozen `RandomState`.
        groups: whole numbers; the sequences of a group stay together. Classes then have no share.
        size: number of sequences, where there are neither classes nor groups.

    Raises:
        ValueError: no sequence is left for training.
    """
    draw = np.random.RandomState(seed)
    known = groups if groups is not None else classes
    num = size if known is None else len(known)
    if not 0 <= num_valid < num:
        raise ValueError(f"{num_valid} of {num} sequences cannot be set aside for validation")
    if groups is not None:
        is_valid = _whole_groups(groups, num_valid, draw)
    elif classes is not None:
        is_valid = _shares(classes, num_valid, draw)
    else:
        is_valid = np.zeros(num, dtype=bool)
        is_valid[draw.permutation(num)[:num_valid]] = True
    return np.flatnonzero(~is_valid), np.flatnonzero(is_valid)


def _shares(classes: np.ndarray, num_valid: int, draw: np.random.RandomState) -> np.ndarray:
    """Which sequences are for validation; each class leaves one for training if it can."""
    names, sizes = np.unique(classes, return_counts=True)
    wanted = sizes * num_valid / len(classes)
    counts = np.floor(wanted).astype(np.int64)
    # the largest remainders get one more, in the order of the classes where they are equal
    for i in np.argsort(counts - wanted, kind="stable")[: num_valid - counts.sum()]:
        counts[i] += 1
    for i in np.flatnonzero(counts == sizes):
        others = np.flatnonzero(counts < sizes - 1)
        if len(others):
            counts[i] -= 1
            counts[others[0]] += 1
    is_valid = np.zeros(len(classes), dtype=bool)
    for name, count in zip(names, counts, strict=True):
        is_valid[draw.permutation(np.flatnonzero(classes == name))[:count]] = True
    return is_valid


def _whole_groups(groups: np.ndarray, num_valid: int, draw: np.random.RandomState) -> np.ndarray:
    """Groups in a drawn order, each taken if it brings the number nearer to what is asked."""
    names, of_row, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    is_valid, total = np.zeros(len(names), dtype=bool), 0
    for i in draw.permutation(len(names)):
        is_last = is_valid.sum() == len(names) - 1
        if not is_last and abs(total + sizes[i] - num_valid) < abs(total - num_valid):
            is_valid[i], total = True, total + sizes[i]
    found: np.ndarray = is_valid[of_row.reshape(-1)]
    return found
