"""Plateau: the learning rate drops when validation has stopped improving.

Differs from torch's `ReduceLROnPlateau`: a drop comes after `patience` evaluations, as in Keras,
not after one more; and `final` is a fraction of the learning rate.
"""

from collections.abc import Callable, Sequence


def scale(
    values: Sequence[float],
    is_better: Callable[[float, float], bool],
    *,
    gamma: float,
    patience: int,
    final: float,
) -> float:
    """Times `gamma` for every `patience` values in a row that are no better than the best."""
    found, num_waited = 1.0, 0
    best: float | None = None
    for value in values:
        if best is None or is_better(value, best):
            best, num_waited = value, 0
        else:
            num_waited += 1
        if num_waited == patience:
            found, num_waited = max(found * gamma, final), 0
    return found
