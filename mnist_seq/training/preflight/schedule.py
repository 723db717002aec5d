"""Asks a schedule for factors along a whole run, before anything of the run is written."""

import math

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.schema import Schedule
from mnist_seq.training.schedules import goes_by_valid, lr_factor, scale_of

NUM_ASKED = 50  # steps, the first and the last among them

_checked: set[str] = set()


def check_schedule(schedule: Schedule, *, num_steps: int, steps_per_epoch: int) -> None:
    """Refuse a schedule that does not take its keys, or has no learning rate for some step.

    Raises:
        ConfigError: names the schedule, and what it says.
    """
    key = f"{schedule.model_dump_json()} {num_steps} {steps_per_epoch}"
    if key in _checked:
        return
    for i in range(NUM_ASKED):
        step = i * (num_steps - 1) // (NUM_ASKED - 1)
        try:
            factor = lr_factor(schedule, step, num_steps=num_steps, steps_per_epoch=steps_per_epoch)
            factor *= scale_of(schedule, [0.5] * i, lambda a, b: a > b)
        except ConfigError:
            raise
        except Exception as error:  # an own schedule may raise anything
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ConfigError(f"schedule={schedule.name} refuses its keys: {reason}") from error
        if not (math.isfinite(factor) and factor >= 0):
            raise ConfigError(
                f"schedule={schedule.name} must give each step a finite factor of 0 or more: "
                f"{factor:g} at step {step} of {num_steps}; change its keys"
            )
    _checked.add(key)


def check_valid(config: Config) -> None:
    """Refuse a schedule that goes by validation where there is none.

    Raises:
        ConfigError: names the schedule.
    """
    if config.data.valid == 0 and goes_by_valid(config.schedule):
        raise ConfigError(
            f"schedule={config.schedule.name} goes by validation, and data.valid=0 sets no image "
            "aside; choose data.valid=5000, say"
        )
