"""Inverse time: the learning rate falls as 1 / t, as Robbins and Monro ask.

Source: Bottou 2012, Stochastic Gradient Descent Tricks, section 3.
"""

from mnist_seq.training.schedules import Position


def factor(at: Position, *, decay: float) -> float:
    """1 / (1 + decay * step), as `decay` of Keras's optimizers."""
    if not decay >= 0:
        raise ValueError(f"decay must be 0 or more: {decay}")
    return 1.0 / (1.0 + decay * at.step)
