"""Step: falls by the factor `gamma` each time that `every` epochs are over."""

from mnist_seq.training.schedules import Position


def factor(at: Position, *, every: int, gamma: float) -> float:
    """As `torch.optim.lr_scheduler.StepLR`, counted from the end of the warm-up."""
    return float(gamma ** (at.step // (every * at.steps_per_epoch)))
