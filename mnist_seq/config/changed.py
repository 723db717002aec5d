"""What a config changes of the defaults, as the words that a command line would have."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_seq.config.schema import Config


def changed(config: "Config") -> dict[str, Any]:
    """The keys that differ from `conf/train.yaml` with the same options, and their values.

    An option other than the default one is there under its group: `model: gru`. Its own keys
    follow where they differ from what the option sets. In the order of the config.

    Raises:
        HydraException: an option is none of this folder's.
    """
    from hydra import compose
    from omegaconf import OmegaConf

    from mnist_seq.config.hydra_errors import defaults, own_hydra
    from mnist_seq.config.identity import plain
    from mnist_seq.config.parse import parse
    from mnist_seq.config.schema import CHOSEN

    own = plain(config)
    first = defaults()
    chosen = {group: str(own[group]["name"]) for group in CHOSEN if "name" in own[group]}
    with own_hydra():
        words = [f"{group}={name}" for group, name in chosen.items()]
        composed = OmegaConf.to_container(compose("train", words), resolve=False)
    assert isinstance(composed, dict)
    placed = _without_places({str(key): value for key, value in composed.items()})
    base = _flat(plain(parse(placed)))
    found: dict[str, Any] = {}
    for key, value in _flat(own).items():
        group, _, last = key.partition(".")
        if last == "name" and group in chosen:
            if value != first[group]["name"]:
                found[group] = value
        elif key not in _OF_A_PLACE and value != base.get(key, value):
            found[key] = value
    return found


_OF_A_PLACE = {"data.root", "sweep.name"}  # a folder, and the clock


def _without_places(values: dict[str, Any]) -> dict[str, Any]:
    """The same with words in the place of interpolations that read the clock or the machine."""
    values["data"]["root"], values["sweep"]["name"] = "data", "none"
    return values


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
