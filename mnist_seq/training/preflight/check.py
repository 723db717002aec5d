"""Refuses a run that cannot train, before anything of it is written."""

import torch

from mnist_seq.config import Config, ConfigError
from mnist_seq.tasks import task_of
from mnist_seq.training.preflight.count import unseeded
from mnist_seq.training.preflight.kernel import check_kernel
from mnist_seq.training.preflight.memory import check_memory
from mnist_seq.training.preflight.optimizer import traits
from mnist_seq.training.preflight.origin import check_origin
from mnist_seq.training.preflight.schedule import check_schedule, check_valid
from mnist_seq.training.preflight.task import check_evaluations, num_steps, steps_per_epoch

MOST_NORMED = 300  # a line of metrics.jsonl has room for twice as many values, with long names


def check_run(config: Config) -> None:
    """Ask the optimizer, the schedule and the memory whether they can do what a config asks.

    Args:
        config: as it will be trained: data found, hidden size solved.

    Raises:
        ConfigError: names the first key that cannot be as it is.
    """
    traits(config.optimizer)
    total = num_steps(config)
    per_epoch = steps_per_epoch(config)
    check_valid(config)
    check_schedule(config.schedule, num_steps=total, steps_per_epoch=per_epoch)
    _check_state(config)
    _check_norms(config)
    check_origin(config)
    check_kernel(config)
    check_memory(config)


def _check_norms(config: Config) -> None:
    """Refuse more norms than metrics.jsonl can hold, in a line or in all."""
    if not config.training.diagnoses_weights:
        return
    with torch.device("meta"):
        num = len(list(unseeded(config.model, task_of(config.data).spec).parameters()))
    if num > MOST_NORMED:
        raise ConfigError(
            f"training.diagnostics={config.training.diagnostics} logs two norms for each weight, "
            f"of {MOST_NORMED} at most: this net has {num}; choose model.layers below "
            f"{config.model.layers}, or training.diagnostics=none"
        )
    check_evaluations(config, num_more=2 * num + 2)


def _check_state(config: Config) -> None:
    """Refuse what needs a state, for layers that have none."""
    training, model = config.training, config.model
    wants = {"tbptt": (training.tbptt, training.tbptt != "none"),
             "diagnostics": (training.diagnostics, training.diagnoses_states)}  # fmt: skip
    for key, (value, is_wanted) in wants.items():
        if not is_wanted:
            continue
        with torch.device("meta"):
            has_state = unseeded(model, task_of(config.data).spec).rnn.step_cells()
        if not has_state:
            raise ConfigError(
                f"training.{key} needs a state that goes from time step to time step: "
                f"training.{key}={value} model={model.name}, which reads whole sequences; choose "
                f"training.{key}=none"
            )
