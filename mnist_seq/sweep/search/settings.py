"""The settings of a search: `hydra.sweeper.*` of `hydra/sweeper=optuna`."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from omegaconf import OmegaConf

from mnist_seq.config import ConfigError, conf_dir
from mnist_seq.config.plugin_keys import unknown_key


@dataclass(frozen=True)
class Settings:
    """A search.

    Attributes:
        search: key: sweep in Hydra's grammar, such as `interval(1e-4, 1e-1)`.
        storage: journal or sqlite, a file in the sweep's folder, or any URL that Optuna takes.
    """

    objective: str
    direction: str
    n_trials: int
    sampler: str
    sampler_options: dict[str, Any]
    pruner: str
    pruner_options: dict[str, Any]
    seed: int
    storage: str
    search: dict[str, str]


def checked(values: Mapping[str, Any]) -> Settings:
    """Settings from plain values.

    Raises:
        ConfigError: an unknown key, or an impossible value.
    """
    names = [field.name for field in fields(Settings)]
    if unknown := [name for name in values if name not in names]:
        raise ConfigError(unknown_key(f"hydra.sweeper.{unknown[0]}", "optuna"))
    given = {"search": {}, "sampler_options": {}, "pruner_options": {}, **values}
    if absent := [name for name in names if name not in given]:
        raise ConfigError(
            f"hydra.sweeper.{absent[0]} was taken out by another override; leave that out"
        )
    settings = Settings(**given)
    for name, least in (("n_trials", 1), ("seed", 0)):
        value = getattr(settings, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ConfigError(
                f"hydra.sweeper.{name} must be a whole number, {least} or more: {name}={value}"
            )
    for name in ("objective", "direction", "sampler", "pruner", "storage"):
        if not isinstance(value := getattr(settings, name), str):
            raise ConfigError(
                f"a search has one {name}: hydra.sweeper.{name}={value}; write one value"
            )
    _check_one_of("sampler", settings.sampler, SAMPLERS)
    if settings.sampler == "cmaes" and importlib.util.find_spec("cmaes") is None:
        raise ConfigError(
            "hydra.sweeper.sampler=cmaes needs the package cmaes: pip install 'mnist_seq[optuna]'"
        )
    _check_one_of("pruner", settings.pruner, PRUNERS)
    return settings


def without_default_space(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without the search space of our YAML, where `hydra.sweeper.params` gives another."""
    ours = OmegaConf.load(conf_dir() / "hydra/sweeper/optuna.yaml")
    default = OmegaConf.to_container(ours)
    assert isinstance(default, dict)
    search = dict(values.get("search") or {})
    kept = {key: text for key, text in search.items() if default["search"].get(key) != text}
    return {**values, "search": kept}


def make_sampler(settings: Settings, *, num_trials: int) -> Any:
    """The sampler. Its seed depends on `num_trials`, so a search that continues does not repeat."""
    # the points of a grid are queued by `queue_grid`; nothing is sampled
    seed = settings.seed + num_trials
    options = settings.sampler_options
    return _made("sampler", options, lambda: SAMPLERS[settings.sampler](seed=seed, **options))


def make_pruner(settings: Settings) -> Any:
    """The pruner. Its steps are evaluations, counted from 1."""
    options = settings.pruner_options
    return _made("pruner", options, lambda: PRUNERS[settings.pruner](**options))


def check_objective(objective: str, direction: str, metrics: Mapping[str, bool]) -> None:
    """Refuse an objective that the task does not have, and the worse end of one that it has.

    Only metrics on valid: a search that reads the test set leaves no data to measure its winner on.

    Args:
        metrics: the task's, each with whether higher is better.

    Raises:
        ConfigError: names the key.
    """
    directions = {
        f"valid/{name}": "maximize" if is_higher_better else "minimize"
        for name, is_higher_better in metrics.items()
    }
    if objective not in directions:
        why = (
            ": a search that sees the test set leaves nothing to measure its winner with"
            if objective.startswith("test/")
            else ""
        )
        raise ConfigError(
            f"hydra.sweeper.objective must be one of {', '.join(directions)}: "
            f"objective={objective}{why}"
        )
    if direction != directions[objective]:
        raise ConfigError(
            f"hydra.sweeper.direction={direction} looks for the worst {objective}; write "
            f"hydra.sweeper.direction={directions[objective]}"
        )


def _check_one_of(name: str, value: str, known: Mapping[str, object]) -> None:
    if value not in known:
        raise ConfigError(f"hydra.sweeper.{name} must be one of {', '.join(known)}: {name}={value}")


def _made(name: str, options: Mapping[str, Any], make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"hydra.sweeper.{name}_options={dict(options)} do not fit: {error}"
        ) from None


def _of_optuna(room: str, name: str) -> Callable[..., Any]:
    def make(**options: Any) -> Any:
        import optuna

        return getattr(getattr(optuna, room), name)(**options)

    return make


def _cma_es(**options: Any) -> Any:
    """CMA-ES, which draws choices at random; Optuna would warn of that at each of them."""
    return _of_optuna("samplers", "CmaEsSampler")(**{"warn_independent_sampling": False, **options})


SAMPLERS = {
    "tpe": _of_optuna("samplers", "TPESampler"),
    "random": _of_optuna("samplers", "RandomSampler"),
    "grid": _of_optuna("samplers", "RandomSampler"),
    "cmaes": _cma_es,
}
PRUNERS = {
    "none": _of_optuna("pruners", "NopPruner"),
    "median": _of_optuna("pruners", "MedianPruner"),
    "hyperband": _of_optuna("pruners", "HyperbandPruner"),
    "halving": _of_optuna("pruners", "SuccessiveHalvingPruner"),
}
