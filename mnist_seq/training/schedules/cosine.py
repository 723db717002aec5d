"""Cosine: half a period of a cosine, from 1 down to `final`.

Source: Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
"""

import math

from mnist_seq.training.schedules import Position


def factor(at: Position, *, final: float) -> float:
    """As `torch.optim.lr_scheduler.CosineAnnealingLR`."""
    return cosine(1.0, final, at.progress)


def cosine(begin: float, end: float, progress: float) -> float:
    """From one value to another along half a period of a cosine."""
    return end + (begin - end) * 0.5 * (1 + math.cos(math.pi * progress))
