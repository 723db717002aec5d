"""Turns errors of Hydra into one line: the rule, the value, the way out."""

import contextlib
import dataclasses
import re
import sys
import traceback
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mnist_seq.config.errors import ConfigError, said
from mnist_seq.config.paths import conf_dir, groups, keys_of_option, options
from mnist_seq.config.secrets import check_values
from mnist_seq.config.words import key_of

if TYPE_CHECKING:
    from omegaconf import DictConfig


def one_line(error: Exception) -> str:
    """The line for an error of Hydra or OmegaConf, for the user of the command."""
    from hydra.errors import OverrideParseException

    if isinstance(error, OverrideParseException):
        return (
            f"an override is key=value in Hydra's grammar: {error.override}; quote values that "
            "hold spaces, commas, ~, brackets or quotes, such as \"key='a, b'\""
        )
    text = said(error)
    file = _file_of(error)
    if isinstance(error, UnicodeDecodeError) and file:
        return f"a config is written in UTF-8: {file}: {error.reason}; save that file as UTF-8"
    if text.startswith("Invalid loaded object type") and file:
        return f"a config is keys with values: {file} is none; mend that file"
    for pattern, explain in _KNOWN:
        if match := re.search(pattern, text):
            return explain(match)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    cause = error.__cause__
    if cause is not None and str(cause) and str(cause).splitlines()[0] not in text:
        lines.append(str(cause).splitlines()[0])
    return "; ".join(lines) or type(error).__name__


def _file_of(error: Exception) -> str:
    """The YAML that Hydra was reading when the error came, or ""."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "load_config" and "full_path" in frame.f_locals:
            return str(frame.f_locals["full_path"])
    return ""


_NAMES = (
    "hydra.job.name",
    "hydra.output_subdir",
)  # keys with names of files and folders inside a run's folder


def check_hydra_words(words: Iterable[str]) -> None:
    """Refuse added keys of Hydra's own config, which Hydra accepts and never reads, and names that
    would lead out of the run's folder.

    Raises:
        ConfigError: names the key.
    """
    words = list(words)
    for word in words:
        key, _, value = word.lstrip("+~").partition("=")
        if not key.startswith("hydra."):
            continue
        if key in _NAMES:
            _check_name(key, value, shown=word)
        if key == "hydra.sweep.subdir" and "hydra/sweeper=basic" not in words:
            raise _no_subdir(word)
        from hydra.conf import HydraConf

        schema: Any = HydraConf
        for part in key.split(".")[1:]:
            if not dataclasses.is_dataclass(schema):  # callbacks and launchers may have any keys
                break
            keys = typing.get_type_hints(schema)
            if part not in keys:
                raise ConfigError(_unknown_hydra_key(key))
            schema = keys[part]


def check_hydra_node(config: Any, *, is_sweep: bool) -> None:
    """Refuse in a YAML what `check_hydra_words` refuses on the command line.

    Args:
        config: with Hydra's own node.

    Raises:
        ConfigError: names the key.
    """
    from omegaconf import OmegaConf

    given = OmegaConf.to_container(config.hydra, resolve=False)
    assert isinstance(given, dict)
    check_values(given, "hydra")
    for key in _NAMES:
        _, *parts = key.split(".")
        value: Any = given
        for part in parts:
            value = value.get(part)
        _check_name(key, str(value), shown=f"{key}={value}")
    if is_sweep and (subdir := given["sweep"]["subdir"]) != "${hydra:job.override_dirname}":
        raise _no_subdir(f"hydra.sweep.subdir={subdir}")


def _check_name(key: str, value: str, *, shown: str) -> None:
    if "/" in value or ".." in value:
        raise ConfigError(f"{key} must be a plain name, without / and ..: {shown}")


def _no_subdir(shown: str) -> ConfigError:
    return ConfigError(
        f"{shown} is not read: runs are named by what is swept; sweep.name=<name> names the "
        "sweep's folder"
    )


def _unknown_hydra_key(key: str) -> str:
    from mnist_seq.config.plugin_keys import chosen_option, unknown_key

    kind = key.split(".")[1] if "." in key else ""
    if kind in ("sweeper", "launcher") and (text := unknown_key(key, chosen_option(kind))):
        return text
    return f"no code reads {key}; Hydra's own keys are those of --cfg hydra"


def _unknown_key(match: re.Match[str]) -> str:
    from mnist_seq.config.messages import known_keys, suggestion
    from mnist_seq.config.schema import CHOSEN

    key = match[1]
    group = key.partition(".")[0]
    if key.endswith("_options") or key == "hydra.sweeper.params":
        return f"{key} takes keys one by one, with a plus: write +{key}.<key>=<value>"
    if group == "hydra":
        return _unknown_hydra_key(key)
    if key in groups() and key not in (*CHOSEN, *_OPTIONAL):
        return f"{key} is a group that is added: write +{key}=<{'|'.join(options(key))}>"
    if group in _OPTIONAL:
        return f"{key} is a key of {group}=<name>, which must be chosen too: write {group}=<name>"
    known = list(known_keys(defaults()))
    if group in groups():
        own = {name: keys_of_option(group, name) for name in options(group)}
        having = [name for name, keys in own.items() if key in keys]
        if having:
            return _of_another_option(key, group, having)
        typed = [w.partition("=")[2] for w in sys.argv[1:] if key_of(w) == group]
        chosen = [name for value in typed for name in re.findall(r"\w+", value)]
        known += [k for name in chosen for k in own.get(name, [])]
    if key in known:
        if not any(word.startswith("~") for word in sys.argv[1:]):
            return f"the config has no {key}; a config of your own starts with {_STARTS}"
        return f"{key} was taken out by another override; leave out ~{group}"
    known = list(dict.fromkeys(known))
    near = suggestion(key, known)
    parent = key.rpartition(".")[0]
    siblings = [k for k in known if k.rpartition(".")[0] == parent]
    return f"no code reads {key}" + (near or f"; the keys are {', '.join(siblings or groups())}")


def _of_another_option(key: str, group: str, having: list[str]) -> str:
    """For a key that only other options of its group have."""
    which = (group, *_OPTIONAL)  # an experiment or ablation may choose the option too
    swept = [w for w in sys.argv[1:] if key_of(w) in which and re.search(r"[,(]", w)]
    names = re.findall(r"\w+", swept[0].partition("=")[2]) if swept else []
    lacking = [name for name in names if name in options(group) and name not in having]
    if lacking and set(names) & set(having):
        return (
            f"{key} is a key of {group}={','.join(n for n in names if n in having)}, and not of "
            f"{group}={','.join(lacking)}: {swept[0]}; give each a sweep of its own, or "
            "search with hydra/sweeper=optuna, whose trials have the keys of their option"
        )
    if swept:  # Hydra composes the sweep's own config before those of the runs
        return (
            f"{key} is no key of the default {group}, and {swept[0]} is a sweep, whose keys Hydra "
            f"reads with the default first; write ++{key}=<value>"
        )
    one = f"{group}={having[0]}" if len(having) == 1 else f"{group}=<{'|'.join(having)}>"
    return f"{key} is no key of the chosen {group}; choose {one}, or leave {key} out"


_STARTS = "'defaults: [train, _self_]'"
_OPTIONAL = ("ablation", "experiment")


def _no_option(match: re.Match[str]) -> str:
    from mnist_seq.config.messages import no_option

    group, _, name = match[1].rpartition("/")
    names = re.findall(r"\t([^\s=]+)$", match.string, re.M)  # with those of a --config-dir
    names = names or (options(group) if group in groups() else [])
    return no_option(group, name, names)


def _ambiguous(match: re.Match[str]) -> str:
    return (
        f"several values are a sweep: {match[1]}; add -m to run them all, or quote the value to "
        "keep it whole"
    )


def _has_a_place(match: re.Match[str]) -> str:
    return (
        f"{match[1]} is a group with a place of its own: write {match[1]}={match[2]}, without a +"
    )


def _is_there(match: re.Match[str]) -> str:
    key = match[1]
    return f"{key} is in the config already: write {key}=<value>, or ++{key}=<value>"


def _no_choice(match: re.Match[str]) -> str:
    return (
        f"a group is chosen by the name of an option: write one of {', '.join(groups())}=<option>"
    )


def _no_primary(match: re.Match[str]) -> str:
    return (
        f"--config-name must be the name of a YAML in --config-dir or --config-path: {match[1]}; "
        "leave it out for conf/train.yaml"
    )


def _no_config_path(match: re.Match[str]) -> str:
    return (
        f"--config-path must be a folder: {match[1]}; Hydra starts at the program's own folder, "
        "so write it from / on, or give --config-dir, which adds a folder to conf/"
    )


def _no_node(match: re.Match[str]) -> str:
    return (
        "${hydra:...} is known to runs, and neither to the settings of a sweeper nor to a config "
        "without Hydra's node; write the value itself"
    )


_KNOWN = [
    (r"HydraConfig was not set", _no_node),
    (r"Cannot find primary config '([^']+)'", _no_primary),
    (r"Check that the config directory '([^']+)' exists", _no_config_path),
    (r"use 'override ([\w/]+): ([^']+)'", _has_a_place),
    (r"force-add of config groups is not supported: '\+\+([^=]+)=(.*)'", _has_a_place),
    (r"Could not append to config. An item is already at '([^']+)'", _is_there),
    (r"Config group override must be a string", _no_choice),
    (r"Could not override '([^']+)'", _unknown_key),
    (r"Could not find '([^']+)'", _no_option),
    (r"Ambiguous value for argument '([^']+)'", _ambiguous),
    (r"Sweep parameters '(.+)' requires --multirun", _ambiguous),
    (r"Key '([^']+)' is not in struct", _unknown_key),
]


def defaults() -> Mapping[str, Any]:
    """`conf/train.yaml` without overrides: all keys and values, interpolations unresolved."""
    from hydra import compose
    from omegaconf import OmegaConf

    with own_hydra():
        values = OmegaConf.to_container(compose("train"))
    assert isinstance(values, dict)
    return {str(k): v for k, v in values.items()}


@contextlib.contextmanager
def hydra_node_of(config: "DictConfig") -> Iterator[None]:
    """Let `${hydra:...}` read Hydra's node of a config in the block, as it will in a job."""
    from hydra.core.hydra_config import HydraConfig

    singleton: Any = HydraConfig.instance()
    before, singleton.cfg = singleton.cfg, config
    try:
        yield
    finally:
        singleton.cfg = before


@contextlib.contextmanager
def own_hydra() -> Iterator[None]:
    """Let `compose` read `conf/` in the block, also if Hydra is initialised for another folder."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    theirs = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = theirs
