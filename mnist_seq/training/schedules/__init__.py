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
- A schedule that goes by validation has another function instead:
  `scale(values: Sequence[float], is_better: Callable[[float, float], bool], *, key: float, ...)`.
  It gets the values of `training.best` at all evaluations so far, and whether one is better than
  another, and returns the factor that holds until the next evaluation; 1 before the first one. It
  is as pure: the values come from metrics.jsonl. The warm-up is done here, too.
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


def goes_by_valid(schedule: Schedule) -> bool:
    """Whether the learning rate depends on the evaluations on valid."""
    return _function(schedule.name, "scale") is not None


def scale_of(
    schedule: Schedule, values: Sequence[float], is_better: Callable[[float, float], bool]
) -> float:
    """What the learning rate is multiplied with after some evaluations; 1 for most schedules.

    Args:
        values: on valid, those that choices go by.
        is_better: whether the first value is better than the second.
    """
    scale = _function(schedule.name, "scale")
    return 1.0 if scale is None else float(scale(values, is_better, **_keys(schedule)))


def _keys(schedule: Schedule) -> dict[str, Any]:
    return schedule.model_dump(exclude={"name", "warmup"})


def _course(schedule: Schedule, *, num_steps: int, steps_per_epoch: int) -> Callable[[int], float]:
    """The factor by the step, for one run."""
    warmup, factor = schedule.warmup, _factor_of(schedule.name)
    keys = _keys(schedule)

    def course(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        if factor is None:
            return 1.0
        at = Position(step - warmup, num_steps - warmup, steps_per_epoch)
        return float(factor(at, **keys))

    return course


@functools.cache
def _factor_of(name: str) -> Callable[..., float] | None:
    """The function of a schedule's file; None where it goes by validation.

    Raises:
        ConfigError: there is no such file, or it has no `factor`.
    """
    found = _function(name, "factor")
    if found is None and _function(name, "scale") is None:
        raise ConfigError(
            f"schedule={name} must have a file with a function factor: write "
            f"mnist_seq/training/schedules/{name}.py"
        )
    return found


@functools.cache
def _function(name: str, function: str) -> Callable[..., float] | None:
    """A function of a schedule's file; None where there is none."""
    if not name.isidentifier() or importlib.util.find_spec(f"{__name__}.{name}") is None:
        return None
    module = importlib.import_module(f"mnist_seq.training.schedules.{name}")
    found = getattr(module, function, None)
    return found if callable(found) else None
