"""Learning-rate schedules as pure functions of the step, so that a resume needs no state."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from mnist_seq.config import Config
from mnist_seq.config.schema import Cosine, OneCycle, Schedule, Step


def lr_factor(schedule: Schedule, step: int, *, num_steps: int, steps_per_epoch: int) -> float:
    """Learning rate of a step as a fraction of `optimizer.lr`.

    Args:
        step: optimizer updates done so far, from 0.
        num_steps: updates of the whole run, warm-up included.

    Differs: `onecycle` leaves the momentum alone, unlike `torch.optim.lr_scheduler.OneCycleLR`.
    """
    if step < schedule.warmup:
        return (step + 1) / (schedule.warmup + 1)
    after = step - schedule.warmup
    last = max(1, num_steps - schedule.warmup - 1)
    progress = min(1.0, after / last)
    match schedule:
        case Cosine():
            return _cosine(1.0, schedule.final, progress)
        case OneCycle():
            if progress < schedule.peak_at:
                return _cosine(schedule.start, 1.0, progress / schedule.peak_at)
            fall = (progress - schedule.peak_at) / (1 - schedule.peak_at)
            return _cosine(1.0, schedule.final, fall)
        case Step():
            return float(schedule.gamma ** (after // (schedule.every * steps_per_epoch)))
        case _:
            return 1.0


def epoch_rates(
    configs: Sequence[Config], epoch: int, *, num_steps: int, steps_per_epoch: int
) -> Float64[Tensor, "steps R"]:
    """The learning rate of each step of an epoch, for each of R runs."""
    first = epoch * steps_per_epoch
    steps = range(first, first + steps_per_epoch)
    columns: dict[Schedule, list[float]] = {}
    for config in configs:
        if config.schedule not in columns:
            columns[config.schedule] = [
                lr_factor(
                    config.schedule, step, num_steps=num_steps, steps_per_epoch=steps_per_epoch
                )
                for step in steps
            ]
    factors = [columns[config.schedule] for config in configs]
    lrs = torch.tensor([config.optimizer.lr for config in configs], dtype=torch.float64)
    return torch.tensor(factors, dtype=torch.float64).T * lrs


def _cosine(begin: float, end: float, progress: float) -> float:
    return end + (begin - end) * 0.5 * (1 + math.cos(math.pi * progress))
