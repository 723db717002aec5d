"""Reads overrides as they are typed: `model.hidden=8`, `+model.hidden=8`, `++model.hidden=8`."""

from collections.abc import Iterable, Mapping
from typing import Any

from mnist_seq.config.errors import ConfigError

# Keys that concern a sweep, not a run
OF_A_SWEEP = ("sweep.", "hydra.sweep", "hydra.launcher", "hydra/sweeper", "hydra/launcher")
# Attribute of the job function whose runs our sweepers plan
OUR_JOB = "is_job_of_mnist_seq"
# Hydra's flags that say where a config comes from; each takes a value
CONFIG_FLAGS = ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp")


def key_of(word: str) -> str:
    """The key of an override, the same with + or ++. The key of a deletion keeps its ~."""
    return word.partition("=")[0].lstrip("+")


def words_in(config: Any, kind: str) -> list[str]:
    """The overrides that a config records, as they were typed: interpolations stay in them.

    Args:
        config: with Hydra's own node.
        kind: "hydra" or "task".
    """
    from omegaconf import OmegaConf

    found = OmegaConf.to_container(config.hydra.overrides, resolve=False)
    assert isinstance(found, dict)
    return [str(word) for word in found[kind]]


def without_plus(word: str) -> str:
    """An override as it is without + or ++."""
    return word.lstrip("+")


def last_of_each_key(words: Iterable[str]) -> dict[str, str]:
    """One override for each key, in the order of the keys: as everywhere in Hydra, the last counts.

    `+key=1 key=2` becomes `+key=2`, because the config has no such key without the plus.
    """
    found: dict[str, str] = {}
    for word in words:
        key = key_of(word)
        before = found.get(key, "")
        is_added = before.startswith("+") and not word.startswith("+")
        num_plus = len(before) - len(before.lstrip("+")) if is_added else 0
        found[key] = "+" * num_plus + word
    return found


# Keys that Hydra reads before a sweeper reads its `params`
_NOT_OF_A_RUN = ("sweep", "hydra", "ablation")


def words_of(params: Mapping[str, Any]) -> list[str]:
    """The overrides of `hydra.sweeper.params`, Hydra's own way to keep a grid in a YAML.

    Raises:
        ConfigError: a key says how runs are launched.
    """
    words = [f"{key}={_written(value)}" for key, value in flattened(params)]
    for word in words:
        if key_of(word).replace("/", ".").partition(".")[0] in _NOT_OF_A_RUN:
            raise ConfigError(
                f"hydra.sweeper.params holds what a run is asked to do: {word}; write "
                f"{key_of(word)} as a key of the YAML, or on the command line"
            )
    return words


def flattened(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted keys and values of nested values."""
    found = []
    for key, value in values.items():
        is_group = isinstance(value, Mapping)
        found += flattened(value, f"{prefix}{key}.") if is_group else [(f"{prefix}{key}", value)]
    return found


def _written(value: Any) -> str:
    """A value of a YAML in Hydra's grammar; text is in that grammar already."""
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
