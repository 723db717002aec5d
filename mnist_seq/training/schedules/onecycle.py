"""One cycle: from `start` up to 1 and down to `final`, along cosines.

Source: Smith and Topin 2019, arXiv:1708.07120.
Differs: the momentum stays as it is, unlike in `torch.optim.lr_scheduler.OneCycleLR`.
"""

from mnist_seq.training.schedules import Position
from mnist_seq.training.schedules.cosine import cosine


def factor(at: Position, *, peak_at: float, start: float, final: float) -> float:
    """Rises for the share `peak_at` of the steps, then falls."""
    if at.progress < peak_at:
        return cosine(start, 1.0, at.progress / peak_at)
    return cosine(1.0, final, (at.progress - peak_at) / (1 - peak_at))
