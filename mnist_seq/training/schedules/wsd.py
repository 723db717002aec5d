"""Warm-up, stable, decay: constant, then a straight line down to `final` in the last steps.

Source: Hu et al. 2024, arXiv:2404.06395, section 4; Hägele et al. 2024, arXiv:2405.18392.
Differs: the decay is linear.
"""

from mnist_seq.training.schedules import Position


def factor(at: Position, *, decay: float, final: float) -> float:
    """1 until the last share `decay` of the steps."""
    if not 0 < decay <= 1:
        raise ValueError(f"decay must be more than 0, and 1 or less: {decay}")
    if not 0 <= final <= 1:
        raise ValueError(f"final must be from 0 to 1: {final}")
    fallen = max(0.0, (at.progress - (1 - decay)) / decay)
    return 1.0 + (final - 1.0) * fallen
