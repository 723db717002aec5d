"""Decides whether a run takes the steps of the runs of a stored result, but for its seed."""

from collections.abc import Mapping
from typing import Any

from mnist_seq.published.stored import Stored, variant_of
from mnist_seq.runs.variants import Flat, flat

# Keys by which runs differ in how far they go, when they are read, or by rounding alone. The size
# that a net was asked to have is in model.hidden by then.
_NOT_OF_A_STEP = {
    "arm",
    "model.match",
    "model.params",
    "device.name",
    "device.threads",
    "device.deterministic",
    "device.kernel",
    "training.epochs",
    "training.updates",
    "training.early_stop",
    "training.evaluate",
    "training.best",
    "training.keep_best",
    "training.min_delta",
    "training.eval_every",
    "training.eval_batch_size",
    "training.monitor_test",
    "training.eval_train",
    "training.train_accuracy",
}
# Metrics by their part -> the key that says what they are a mean over
_READ_OVER = {
    "train": "training.eval_every",
    "train_eval": "training.eval_train",
    "monitor": "training.monitor_test",
}
_LENGTH = ("training.epochs", "training.updates")


def takes_same_steps(stored: Stored, config: Mapping[str, Any]) -> bool:
    """Whether a run may be compared with stored ones at equal updates, by their curve's metric.

    The seed, the kernel, the device and the length do not count. A schedule that depends on the
    length gives other learning rates, which the evaluations tell: see `judge.standing`.

    Args:
        config: as run.json has it.
    """
    if not stored.config:  # of an older file
        return variant_of(config) == stored.variant
    metric = stored.curve.metric
    return _steps(stored.config, metric) == _steps(config, metric)


def has_same_length(stored: Stored, config: Mapping[str, Any]) -> bool:
    """Whether a run asks for as many updates as stored ones with `takes_same_steps`."""
    first, second = flat(stored.config or config), flat(config)
    return all(first.get(key, "none") == second.get(key, "none") for key in _LENGTH)


def _steps(config: Mapping[str, Any], metric: str) -> Flat:
    left = _NOT_OF_A_STEP - {_READ_OVER.get(metric.partition("/")[0], "")}
    return {key: value for key, value in flat(config).items() if key not in left}
