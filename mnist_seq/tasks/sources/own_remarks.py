"""What a user is told of own data that may be meant as they are, and may be a mistake."""

from collections.abc import Mapping, Sequence

import numpy as np

from mnist_seq.tasks.examples import Part
from mnist_seq.tasks.recordings.scaling import lengths_of

_MOST_NAMES = 12  # classes in a line
_MANY = 0.05  # share of sequences with zeros at their end that may be padding


def remarks_on(
    parts: Mapping[str, Part], groups: Mapping[str, np.ndarray], classes: Sequence[str]
) -> list[str]:
    """Lines about parts that are not padded to one length yet."""
    found, train = [], parts["train"]
    if classes:
        some = ", ".join(f"{i} {name}" for i, name in enumerate(classes[:_MOST_NAMES]))
        found.append(f"classes: {some}{' ...' if classes[_MOST_NAMES:] else ''}")
    seen = _contents(train)
    for name in [name for name in parts if name != "train"]:
        num = sum(content in seen for content in _contents(parts[name]))
        if num:
            found.append(f"{num} of {len(parts[name].x)} {name} sequences are in x_train too")
        if name in groups and "train" in groups:
            both = np.intersect1d(groups[name], groups["train"])
            if len(both):
                found.append(f"{len(both)} groups of group_{name} are in group_train too")
    return found + (_on_numbers(train) if train.x.ndim == 3 else _on_words(parts))


def _contents(part: Part) -> list[bytes]:
    return [
        np.ascontiguousarray(x[:length]).tobytes()
        for x, length in zip(part.x, lengths_of(part), strict=True)
    ]


def _on_numbers(train: Part) -> list[str]:
    found = []
    num_steps, num_channels = train.x.shape[1:]
    if num_steps < num_channels:
        found.append(
            f"x_train has {num_steps} time steps of {num_channels} channels: is it [n, T, D], and "
            "not [n, D, T]?"
        )
    steps = train.x[np.arange(num_steps) < lengths_of(train)[:, None]]
    still = np.flatnonzero(np.ptp(steps, axis=0) == 0)
    if len(still):
        found.append(f"channels of x_train that never change: {', '.join(map(str, still))}")
    if train.lengths is None:
        has_zeros = (train.x[:, -1] == 0).all(axis=1) & train.x.any(axis=(1, 2))
        if has_zeros.mean() >= _MANY:
            found.append(
                f"{has_zeros.sum()} of {len(train.x)} training sequences end with zeros: if that "
                "is padding, add lengths_train and lengths_test"
            )
    return found


def _on_words(parts: Mapping[str, Part]) -> list[str]:
    known = np.unique(parts["train"].x)
    found = []
    for name in [name for name in parts if name != "train"]:
        new = np.setdiff1d(parts[name].x, known)
        if len(new):
            found.append(f"{len(new)} words of x_{name} are not in x_train")
    return found
