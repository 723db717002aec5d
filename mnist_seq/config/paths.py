"""Finds the YAML files of `conf/`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mnist_seq.config.members import file_of, options
from mnist_seq.config.members import shipped as conf_dir
from mnist_seq.config.words import key_of, words_in

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader

__all__ = ["conf_dir", "groups", "keys_of_option", "options", "options_of"]


def groups() -> list[str]:
    """Our config groups with options to choose from; `base` has the parts that options share."""
    hidden = {"base", "hydra"}
    return sorted(p.name for p in conf_dir().iterdir() if p.is_dir() and p.name not in hidden)


def keys_of_option(group: str, name: str) -> list[str]:
    """The keys of an option: those that its YAML sets, and those of the base YAML below it."""
    from omegaconf import DictConfig, OmegaConf

    found: list[str] = []
    files = [file_of(group, name)]
    for file in files:
        values = OmegaConf.load(file)
        assert isinstance(values, DictConfig)
        found += [f"{group}.{key}" for key in map(str, values) if key != "defaults"]
        bases = (str(item).partition("@")[0] for item in values.get("defaults", []))
        files += [conf_dir() / f"{b.strip('/')}.yaml" for b in bases if b.startswith("/base/")]
    return found


def with_keys_of_choices(words: Sequence[str]) -> list[str]:
    """The words of a search over options of a group, with ++ before keys of these options.

    Hydra reads keys with the default option first, and refuses keys that this option lacks.
    """
    from omegaconf import OmegaConf

    chosen = {key_of(word): word.partition("=")[2] for word in words}
    searched = {key for key, value in chosen.items() if "," in value or "(" in value}
    if chosen.get("hydra/sweeper") != "optuna" or not searched & {*groups()}:
        return list(words)
    defaults = OmegaConf.select(OmegaConf.load(conf_dir() / "train.yaml"), "defaults")
    default = {str(k): str(v) for item in defaults if not isinstance(item, str)
               for k, v in item.items() if v is not None}  # fmt: skip
    found = []
    for word in words:
        group, *inner = key_of(word).split(".")
        is_searched = bool(inner) and bool({group, "experiment"} & searched) and group in default
        if is_searched and word[0] not in "+~":
            keys = keys_of_option(group, default[group])
            word = word if f"{group}.{inner[0]}" in keys else f"++{word}"
        found.append(word)
    return found


def options_of(loader: "ConfigLoader", config: Any) -> Callable[[str], Sequence[str]]:
    """Lists the options of a group as a command sees them, with those of its own folders.

    Args:
        config: of the command, with Hydra's own node, whose `hydra.searchpath` counts too.
    """
    if not config.hydra.searchpath:
        return lambda group: loader.get_group_options(group)
    words = words_in(config, "hydra")
    added = [word for word in words if key_of(word) == "hydra.searchpath"]
    name = config.hydra.job.config_name
    return lambda group: loader.get_group_options(group, config_name=name, overrides=added)
