"""Padding, scaling and selection of sequences in several lengths."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from mnist_seq import system
from mnist_seq.tasks.examples import Part, Scale


def lengths_of(part: Part) -> np.ndarray:
    """The lengths of the sequences."""
    return np.full(len(part.x), part.x.shape[1]) if part.lengths is None else part.lengths


def below(flat: np.ndarray, lengths: np.ndarray, *, place: str = "sequences") -> np.ndarray:
    """Sequences that lie one below the other as [n, T, ...], padded with zeros.

    Args:
        place: what they are, for the error.

    Raises:
        ValueError: padded to the longest they do not fit into memory.
    """
    longest, memory = int(lengths.max()), system.physical_memory()
    size = len(lengths) * longest * (flat.nbytes // max(1, len(flat)))
    if size > memory:
        raise ValueError(
            f"{place} must fit into memory, padded to the longest sequence of {longest:,} time "
            f"steps: it takes {size / 2**30:,.1f} GiB, and this machine has "
            f"{memory / 2**30:,.1f}; cut the longest sequences"
        )
    padded = np.zeros((len(lengths), int(lengths.max()), *flat.shape[1:]), dtype=flat.dtype)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = flat
    return padded


def longer(array: np.ndarray, time_steps: int) -> np.ndarray:
    """The array with zeros behind its time steps, its second axis."""
    width = [(0, 0), (0, time_steps - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array, width)


def lengthened(part: Part, time_steps: int) -> Part:
    """The part with x padded to a length."""
    return replace(part, x=longer(part.x, time_steps))


def taken(part: Part, rows: np.ndarray) -> Part:
    """Some sequences of a part."""
    arrays: dict[str, Any] = {each.name: getattr(part, each.name) for each in fields(part)}
    some: dict[str, Any] = {name: None if a is None else a[rows] for name, a in arrays.items()}
    return Part(**some)


def joined(a: Part, b: Part) -> Part:
    """The sequences of both."""
    arrays: dict[str, Any] = {}
    for name in (each.name for each in fields(Part)):
        both = [getattr(part, name) for part in (a, b)]
        arrays[name] = None if both[0] is None else np.concatenate(both)
    return Part(**arrays)


def scaled(parts: Sequence[Part], *, of: Part) -> tuple[list[Part], Scale]:
    """The parts with mean 0 and sd 1 in each channel over the time steps of one; padding stays 0.

    A channel that never changes keeps its scale.
    """

    def inside(part: Part) -> np.ndarray:
        found: np.ndarray = np.arange(part.x.shape[1]) < lengths_of(part)[:, None]
        return found

    steps = of.x[inside(of)].astype(np.float64)
    mean, sd = steps.mean(axis=0), steps.std(axis=0)
    sd[sd == 0] = 1.0
    made = [
        replace(part, x=(((part.x - mean) / sd) * inside(part)[..., None]).astype(np.float32))
        for part in parts
    ]
    return made, Scale(mean, sd)
