"""Decides which runs can be trained as one stack: equal shapes, different numbers."""

import json
from collections.abc import Sequence

from mnist_seq.config import Config, ConfigError, plain
from mnist_seq.runs.text import share
from mnist_seq.sweep.plan.planner import PlannedRun

# Keys that may differ within a stack, and so may `Model.initial_names` of the cell. `model.match`
# and `model.params` have set `hidden` by now
_OF_A_RUN = {
    "": ("seed", "arm", "schedule", "tracker", "sweep"),
    "model": ("dropout", "match", "params"),
    "optimizer": ("lr", "weight_decay"),
    "data": ("root",),
    "training": ("diagnostics", "init_from", "init_source", "keep_best"),
}


def problem(config: Config) -> str:
    """Why a run cannot be part of a stack, or ""."""
    from mnist_seq.training.preflight.optimizer import traits  # torch: only where runs may stack

    training = config.training
    if training.early_stop != "never":
        return (
            f"training.early_stop={training.early_stop} ends each run by its own numbers, and the "
            "runs of a stack go in step"
        )
    if config.device.precision == "bf16":
        return (
            f"device.precision={config.device.precision} goes by torch's kernels for one run, "
            "which have no form for many"
        )
    if config.device.kernel == "native":
        return "device.kernel=native has a step for one run, and none for many"
    if config.model.readout_norm == "batch":
        return "model.readout_norm=batch counts statistics of one run, and has no form for many"
    if why := traits(config.optimizer).stack_problem:
        return f"optimizer={config.optimizer.name} has no form for a stack: {why}"
    return ""


def shape_of(config: Config) -> str:
    """A key that is equal for runs that can be one stack; "" for a run that cannot be stacked."""
    if problem(config):
        return ""
    values = plain(config)
    dropout = values["model"]["dropout"]
    for group, keys in _OF_A_RUN.items():
        part = values[group] if group else values
        for key in keys:
            part.pop(key, None)
    for key in config.model.initial_names:
        values["model"].pop(key, None)
    return json.dumps({**values, "drops": bool(dropout)}, sort_keys=True)


def check_stackable(runs: Sequence[PlannedRun]) -> None:
    """Refuse runs that cannot be stacked.

    Raises:
        ConfigError: names the first such run, and the reason.
    """
    refused = [(run.name, why) for run in runs if (why := problem(run.config))]
    if refused:
        name, why = refused[0]
        more = f" ({share(len(refused), len(runs), 'run')})" if len(refused) > 1 else ""
        raise ConfigError(
            f"{name} cannot be part of a stack{more}: {why}; choose hydra/launcher=pool, or "
            "sweep.unstackable=pool to have such runs trained alone"
        )
