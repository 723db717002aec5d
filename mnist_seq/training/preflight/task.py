"""Checks of a config that need facts of its task: sizes, shapes, and what goes with its answers.

They need neither torch nor the data, and refuse before anything is written.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.messages import validated
from mnist_seq.config.schema import Data, schema_of
from mnist_seq.runs.disk import limits
from mnist_seq.tasks import Task, task_of
from mnist_seq.training.loop import budget

MAX_STEPS = 10**10  # a year, at 300 steps a second
# Of a line of metrics.jsonl: values beside the task's metrics, those of the diagnostics, and the
# bytes that one takes with its name
_VALUES, _DIAGNOSED, _VALUE_BYTES = 9, 32, 50


def check_task(config: Config) -> Task:
    """The task of a config, which goes with the rest of it.

    Raises:
        ConfigError: it does not; names the key.
    """
    task = task_of(config.data)
    task.check()
    if not task.is_stream:  # of which any number can be drawn
        _check_split(config, task)
    _check_monitor(config, task)
    _check_best(config, task)
    _check_train(config, task)
    _check_answers(config, task)
    _check_batches(config, task)
    check_steps(config)
    return task


def num_steps(config: Config) -> int:
    """Optimizer updates of a run that nothing stops early."""
    return budget.num_steps(config.training, task_of(config.data).epoch_size)


def steps_per_epoch(config: Config) -> int:
    """Optimizer updates of an epoch."""
    return budget.steps_per_epoch(config.training, task_of(config.data).epoch_size)


def sequence_shape(config: Mapping[str, Any]) -> tuple[int, int]:
    """(T, D) of the sequences of a run.

    Args:
        config: plain values, as run.json has them.

    Raises:
        KeyError, ValueError: they are not those of a data set that this code has.
    """
    values = config["data"]
    settings = validated(schema_of("data", values["name"]), values, "data")
    assert isinstance(settings, Data)
    spec = task_of(settings).spec
    return spec.time_steps, spec.input_size


def check_steps(config: Config) -> None:
    """Refuse a run that does not come to an end, or a warm-up that does not.

    Raises:
        ConfigError: names the key.
    """
    if num_steps(config) > MAX_STEPS:
        key = "epochs" if config.training.updates == "none" else "updates"
        raise ConfigError(
            f"training.{key} must come to an end: training.{key}={getattr(config.training, key)} "
            f"is {num_steps(config):,} steps, more than {MAX_STEPS:,}; choose less"
        )
    check_evaluations(config)
    if config.schedule.warmup and config.schedule.warmup >= num_steps(config):
        raise ConfigError(
            "schedule.warmup must end before the run does: "
            f"schedule.warmup={config.schedule.warmup} of {num_steps(config)} steps; choose less"
        )


def check_evaluations(config: Config, num_more: int = 0) -> None:
    """Refuse more evaluations than metrics.jsonl may hold, which nobody could read at the end.

    Args:
        num_more: values of a line that are known of a net alone.

    Raises:
        ConfigError: names the key.
    """
    training, task, total = config.training, task_of(config.data), num_steps(config)
    every = steps_per_epoch(config) if training.eval_every == "epoch" else training.eval_every
    values = _VALUES + len(task.metrics) + training.train_accuracy + num_more
    if training.eval_train:
        values += len(task.metrics) + 1
    if training.diagnoses_states:
        values += _DIAGNOSED
    largest = limits.limit_of(Path("metrics.jsonl"))
    most = min(limits.MAX_VALUES, largest // _VALUE_BYTES) // values
    if total // every > most:
        raise ConfigError(
            f"training.eval_every must give {most:,} evaluations or fewer, as many as "
            f"metrics.jsonl can hold: training.eval_every={training.eval_every} gives "
            f"{total // every:,} in {total:,} steps; choose training.eval_every="
            f"{math.ceil(total / most)} or more"
        )


def _check_split(config: Config, task: Task) -> None:
    data, num_train = config.data, task.num_train
    num_valid = 0 if task.has_own_valid else task.num_valid
    if num_valid >= num_train:
        raise ConfigError(
            f"data.valid must leave training {task.noun}: data.valid={data.valid} of "
            f"{num_train:,} in {data.name}; choose data.valid below {num_train}"
        )
    if data.limit != "all" and data.limit > num_train - num_valid:
        raise ConfigError(
            f"data.limit must not exceed the training {task.noun} that data.valid={data.valid} "
            f"leaves: data.limit={data.limit} of {num_train - num_valid:,} in {data.name}; choose "
            f"data.limit={num_train - num_valid} or less, or data.limit=all"
        )


def _check_monitor(config: Config, task: Task) -> None:
    monitored = config.training.monitor_test
    if monitored > task.num_test:
        raise ConfigError(
            f"training.monitor_test must not exceed the test {task.noun}: "
            f"training.monitor_test={monitored} of {task.num_test:,} in {task.name}; choose "
            f"training.monitor_test={task.num_test} or less"
        )


def _check_best(config: Config, task: Task) -> None:
    known = list(dict.fromkeys(f"valid/{name}" for name in (*task.metrics, "loss")))
    if config.training.best not in ("auto", *known):
        raise ConfigError(
            f"training.best must be a value on valid: training.best={config.training.best}; "
            f"data={task.name} has {', '.join(known)}, or auto"
        )


def _check_train(config: Config, task: Task) -> None:
    """Refuse to read what there is not: training examples, and an accuracy."""
    training, first = config.training, config.training.eval_train
    if first and task.is_stream:
        raise ConfigError(
            f"training.eval_train reads a training set, and data={task.name} makes new examples at "
            f"each step: training.eval_train={first}; choose training.eval_train=0"
        )
    if first > task.epoch_size:
        raise ConfigError(
            f"training.eval_train must not exceed the training {task.noun}: "
            f"training.eval_train={first} of {task.epoch_size:,} in {task.name}; choose "
            f"training.eval_train={task.epoch_size} or less"
        )
    if training.train_accuracy and "accuracy" not in task.metrics:
        raise ConfigError(
            f"training.train_accuracy=true needs a task with an accuracy: data={task.name} has "
            f"{', '.join(task.metrics)}; choose training.train_accuracy=false"
        )


def _check_batches(config: Config, task: Task) -> None:
    """Refuse a batch norm of one example, whose variance is none."""
    training, num = config.training, task.epoch_size
    last = num % training.batch_size or training.batch_size
    if training.updates != "none" and training.updates < steps_per_epoch(config):
        last = training.batch_size
    if config.model.readout_norm == "batch" and last == 1:
        larger = range(training.batch_size + 1, num + 1)
        fits = next((f"training.batch_size={k}, or " for k in larger if num % k != 1), "")
        raise ConfigError(
            "model.readout_norm=batch needs two examples in each batch: "
            f"training.batch_size={training.batch_size} leaves one of {num:,} in the last batch; "
            f"choose {fits}model.readout_norm=layer"
        )


def _check_answers(config: Config, task: Task) -> None:
    """Refuse what would compute something else than the task means."""
    model, training, spec = config.model, config.training, task.spec
    is_joined = model.bidirectional and model.block != "none"
    if is_joined and model.readout == "last" and not spec.per_step:
        raise ConfigError(
            "a block joins both directions at each time step, and at the last one the backward "
            f"direction has read one: model.block={model.block} model.bidirectional=true "
            "model.readout=last; choose model.readout=mean or flat"
        )
    which = "answers at every time step" if spec.per_step else "has sequences of several lengths"
    is_mixed = spec.per_step or spec.varied  # else each batch has one length, and one answer each
    is_flat = model.readout == "flat" and bool(spec.shortest or task.probes)
    refused = {
        f"model.readout={model.readout}": is_flat or (is_mixed and model.readout != "last"),
        f"training.tbptt={training.tbptt}": is_mixed and training.tbptt != "none",
        f"training.diagnostics={training.diagnostics}": is_mixed and training.diagnoses_states,
        "model.readout_norm=batch": spec.per_step and model.readout_norm == "batch",
        "model.bidirectional=true": spec.varied and model.bidirectional,
    }
    instead = ("model.readout=last", "training.tbptt=none", "training.diagnostics=none",
               "model.readout_norm=layer", "model.bidirectional=false")  # fmt: skip
    for (word, is_refused), other in zip(refused.items(), instead, strict=True):
        if is_refused:
            raise ConfigError(f"data={task.name} {which}, and {word} does not go with it yet; "
                              f"choose {other}")  # fmt: skip
