"""Schedules: the factor of the learning rate at each step.

`schedule=<name>` is `conf/schedule/<name>.yaml` and `mnist_seq/training/schedules/<name>.py`. The
file has one function:

    def factor(at: Position, *, key: float, ...) -> float

It gets each key of the YAML but `name` and `warmup`, by its name, and returns the learning rate of
a step as a fraction of `optimizer.lr`: finite, and 0 or more.

- It is pure: the same arguments always give the same factor, and nothing is remembered. So a resume
  needs no state, and the runs of a stack may differ in their schedules.
- `warmup`, which every schedule has, is done here: the factor rises linearly for that many steps.
  The position that a schedule sees begins after the warm-up.
- It raises ValueError for a value that it cannot take. Before a run has a folder,
  `preflight.schedule` asks for factors along the whole run, and refuses the run in one line.
"""

import functools
import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.schema import Schedule


class Position(NamedTuple):
    """Where in a run a step is, the warm-up left out.

    Attributes:
        step: updates done since the warm-up, from 0.
        num_steps: updates from the warm-up to the end.
        steps_per_epoch: updates of an epoch.
    """

    step: int
    num_steps: int
    steps_per_epoch: int

    @property
    def progress(self) -> float:
        """0 at the first step, 1 at the last one."""
        return min(1.0, self.step / max(1, self.num_steps - 1))


def lr_factor(schedule: Schedule, step: int, *, num_steps: int, steps_per_epoch: int) -> float:
    """Learning rate of a step as a fraction of `optimizer.lr`, warm-up included.

    Args:
        step: optimizer updates done so far, from 0.
        num_steps: updates of the whole run, warm-up included.
    """
    course = _course(schedule, num_steps=num_steps, steps_per_epoch=steps_per_epoch)
    return course(step)


def epoch_rates(
    configs: Sequence[Config], epoch: int, *, num_steps: int, steps_per_epoch: int
) -> Float64[Tensor, "steps R"]:
    """The learning rate of each step of an epoch, for each of R runs; the last one may be cut."""
    first = epoch * steps_per_epoch
    steps = range(first, min(first + steps_per_epoch, num_steps))
    columns: dict[Schedule, list[float]] = {}
    for config in configs:
        if config.schedule not in columns:
            course = _course(config.schedule, num_steps=num_steps, steps_per_epoch=steps_per_epoch)
            columns[config.schedule] = [course(step) for step in steps]
    factors = [columns[config.schedule] for config in configs]
    lrs = torch.tensor([config.optimizer.lr for config in configs], dtype=torch.float64)
    return torch.tensor(factors, dtype=torch.float64).T * lrs


def _course(schedule: Schedule, *, num_steps: int, steps_per_epoch: int) -> Callable[[int], float]:
    """The factor by the step, for one run."""
    warmup, factor = schedule.warmup, _factor_of(schedule.name)
    keys: dict[str, Any] = schedule.model_dump(exclude={"name", "warmup"})

    def course(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        at = Position(step - warmup, num_steps - warmup, steps_per_epoch)
        return float(factor(at, **keys))

    return course


@functools.cache
def _factor_of(name: str) -> Callable[..., float]:
    """The function of a schedule's file.

    Raises:
        ConfigError: there is no such file, or it has no `factor`.
    """
    found = None
    if name.isidentifier() and importlib.util.find_spec(f"{__name__}.{name}"):
        module = importlib.import_module(f"mnist_seq.training.schedules.{name}")
        found = getattr(module, "factor", None)
    if not callable(found):
        raise ConfigError(
            f"schedule={name} must have a file with a function factor: write "
            f"mnist_seq/training/schedules/{name}.py"
        )
    factor: Callable[..., float] = found
    return factor
