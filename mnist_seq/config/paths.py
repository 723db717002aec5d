"""Finds the YAML files of `conf/`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_seq.config.words import key_of, words_in

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader

_PACKAGE = Path(__file__).resolve().parent.parent


def conf_dir() -> Path:
    """The folder `conf/`: inside the package in a wheel, next to it in a clone."""
    inside = _PACKAGE / "conf"
    return inside if inside.is_dir() else _PACKAGE.parent / "conf"


def options(group: str) -> list[str]:
    """Names of the options of a config group, sorted."""
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def groups() -> list[str]:
    """Our config groups with options to choose from; `base` has the parts that options share."""
    hidden = {"base", "hydra"}
    return sorted(p.name for p in conf_dir().iterdir() if p.is_dir() and p.name not in hidden)


def keys_of_option(group: str, name: str) -> list[str]:
    """The keys of an option: those that its YAML sets, and those of the base YAML below it."""
    from omegaconf import DictConfig, OmegaConf

    found: list[str] = []
    files = [f"{group}/{name}.yaml"]
    for file in files:
        values = OmegaConf.load(conf_dir() / file)
        assert isinstance(values, DictConfig)
        found += [f"{group}.{key}" for key in map(str, values) if key != "defaults"]
        bases = (str(item).partition("@")[0] for item in values.get("defaults", []))
        files += [f"{base.strip('/')}.yaml" for base in bases if base.startswith("/base/")]
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
