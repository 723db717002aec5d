"""Linear: a straight line from 1 down to `final`."""

from mnist_seq.training.schedules import Position


def factor(at: Position, *, final: float) -> float:
    """As `torch.optim.lr_scheduler.LinearLR` from 1 to `final`, which is reached at the end."""
    if not 0 <= final <= 1:
        raise ValueError(f"final must be from 0 to 1: {final}")
    return 1.0 + (final - 1.0) * at.progress
