"""Solves the hidden size for a number of parameters, to compare cells at equal size."""

from typing import Any

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.reference import default_model
from mnist_seq.config.schema import Model
from mnist_seq.training.preflight.task import check_task

TOLERANCE = 0.01  # largest share by which the number of parameters may miss


def with_hidden_solved(config: Config) -> Config:
    """The config with the `model.hidden` that `model.match` or `model.params` asks for.

    Raises:
        ConfigError: the reference is no cell, or no hidden size comes within 1 %.
    """
    model = config.model
    if model.match == "none" and model.params == "any":
        return config
    from mnist_seq.training.preflight.count import model_params

    spec = check_task(config).spec
    if model.params != "any":
        asked, target = f"model.params={model.params}", model.params
    else:
        asked = f"model.match={model.match}"
        target = model_params(_reference(model), spec)

    multiple = model.hidden_multiple()
    parts = "heads" if hasattr(model, "heads") else "blocks"  # what hidden is a multiple of

    def count(num: int) -> int:
        return model_params(model.model_copy(update={"hidden": num * multiple}), spec)

    below = 1
    while count(2 * below) <= target:
        below *= 2
    step = below
    while step := step // 2:  # count grows with num, and count(below) <= target from here on
        below += step if count(below + step) <= target else 0
    best = min((below, below + 1), key=lambda num: abs(count(num) - target))
    if abs(count(best) - target) > TOLERANCE * target:
        raise ConfigError(
            f"{asked} asks for {target:,} parameters within {TOLERANCE:.0%}, and {model.name} has "
            f"{count(below):,} at model.hidden={below * multiple} and {count(below + 1):,} at "
            f"{(below + 1) * multiple}; choose a larger size, fewer layers, "
            f"{f'fewer model.{parts}, ' * (multiple > 1)}or model.hidden itself"
        )
    return config.model_copy(update={"model": model.model_copy(update={"hidden": best * multiple})})


def _reference(model: Model) -> Model:
    """The settings of the cell that `match` names, all else as in its YAML.

    It has one direction, and as many layers as `match` says: `lstm-64x2` has two. It has the
    run's projection and head. Where the run has blocks, it has the same ones, as many layers and
    directions, so that only the cell differs.
    """
    name, _, size = model.match.rpartition("-")
    hidden, _, layers = size.partition("x")
    around = ("projection", "readout_norm", "head", "head_activation")
    same: dict[str, Any] = {key: getattr(model, key) for key in around}
    if model.block != "none":
        keys = ("block", "norm", "conv", "after", "layers", "bidirectional")
        same |= {key: getattr(model, key) for key in keys}
    if layers:
        same["layers"] = int(layers)
    try:
        found = default_model(name, hidden=int(hidden), **same)
    except KeyError:
        raise ConfigError(
            f"model.match must name a cell and its hidden size: model.match={model.match}; "
            "write model.match=lstm-64"
        ) from None
    if problem := found.problem():
        raise ConfigError(f"model.match={model.match} must be a possible model: {problem}")
    return found
