"""Turns a composed config into a checked `Config`.

Checks that need facts of a task, such as the size of its training set, are in
`mnist_seq.training.preflight`.
"""

import inspect
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.messages import known_keys, no_option, shown, validated
from mnist_seq.config.paths import options
from mnist_seq.config.schema import CHOSEN, Config, Training, schema_of
from mnist_seq.config.schema.expects import KEY, expected
from mnist_seq.config.secrets import check_values
from mnist_seq.config.words import key_of


def parse(values: Mapping[str, Any]) -> Config:
    """Check and type a composed config.

    Args:
        values: plain nested values with resolved interpolations, without Hydra's own node.

    Raises:
        ConfigError: an unknown key, a wrong type or an impossible value.
    """
    if "ablation" in values:
        raise ConfigError(
            "an ablation study is a sweep of several runs: add -m before ablation=... "
            "(hydra/sweeper=mnist_seq, the default, runs it)"
        )
    check_values(values)
    if KEY in values:  # what papers say; no run depends on it
        expected(values[KEY])
        values = {key: value for key, value in values.items() if key != KEY}
    groups: dict[str, BaseModel] = {}
    for group, base in CHOSEN.items():
        given = values.get(group)
        if not isinstance(given, Mapping):
            absent = "there is none; a config of your own starts with 'defaults: [train, _self_]'"
            raise ConfigError(
                f"{group} must be a config group: "
                + (f"{group}={given!r}" if group in values else absent)
                + f"; choose {group}=<{'|'.join(options(group))}>"
            )
        schema = base
        if "name" in given:
            name = given["name"]
            try:
                schema = schema_of(group, name if isinstance(name, str) else "")
            except KeyError:
                text = no_option(f"{group}.name", shown(name), options(group))
                raise ConfigError(
                    f"{text}; a YAML of your own names the one that it changes, or has its code "
                    f"beside it, as {group}/<name>.py"
                ) from None
        groups[group] = validated(schema, given, group)
    config = validated(Config, {**values, **groups}, "", known=list(known_keys(values)))
    _check_together(config)
    return config


def rooted(config: Config, folder: str) -> Config:
    """The config with relative paths, of data and of a source, resolved from `folder`."""
    places = {
        key: os.path.abspath(os.path.join(folder, os.path.expanduser(value)))
        for key, value in dict(config.data).items()
        if key in ("root", "path") and ":" not in value  # package:set is no place
    }
    found: dict[str, Any] = {"data": config.data.model_copy(update=places)}
    source = config.training.init_from
    if source != "none":
        source = os.path.abspath(os.path.join(folder, os.path.expanduser(source)))
        found["training"] = config.training.model_copy(update={"init_from": source})
    return config.model_copy(update=found)


def parse_plain(values: Mapping[str, Any]) -> Config:
    """Read back a config that `plain` wrote.

    Raises:
        ConfigError: another version of this project wrote it.
    """
    return parse(_with_infinity(values, Config))


def check_words(words: Iterable[str], *, options: Callable[[str], Sequence[str]] = options) -> None:
    """Refuse overrides that would make a config contradict its group choices, or each other.

    Args:
        options: group -> names of its options; with those of a `--config-dir`, if there is one.

    Raises:
        ConfigError: a group has no such option, the `name` of a group is set directly, or
            `model.hidden` is set together with a size from which it is solved, or `training.epochs`
            together with `training.updates`, or `expects` is set.
    """
    given: dict[str, str] = {}
    for word in words:
        key, (_, equals, value) = key_of(word), word.partition("=")
        group, _, last = key.rpartition(".")
        if key.partition(".")[0] == KEY:
            raise ConfigError(
                f"{KEY} says what a paper says, in an experiment's file, and no run reads it: "
                f"{word}; leave it out"
            )
        if group in CHOSEN and last == "name":
            raise ConfigError(
                f"{key} goes with its group's other keys: {word}; write {group}={value}"
            )
        value = value.strip("'\"")
        if key in CHOSEN and equals and value not in (names := options(key)):
            raise ConfigError(no_option(key, value, names))
        given[key] = value
    for key, none in (("model.match", "none"), ("model.params", "any")):
        if "model.hidden" in given and given.get(key, none) != none:
            raise ConfigError(
                f"{key} solves model.hidden, which is given too: model.hidden="
                f"{given['model.hidden']} {key}={given[key]}; give one"
            )
    if "training.epochs" in given and given.get("training.updates", "none") != "none":
        raise ConfigError(
            "training.updates and training.epochs both say how long to train: training.updates="
            f"{given['training.updates']} training.epochs={given['training.epochs']}; give one"
        )


def _with_infinity(values: Mapping[str, Any], schema: type[BaseModel]) -> dict[str, Any]:
    """The values, with text such as "inf" turned into a number where a number is expected."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        field = schema.model_fields.get(key)
        wanted = None if field is None else field.annotation
        if isinstance(value, Mapping) and inspect.isclass(wanted) and issubclass(wanted, BaseModel):
            value = _with_infinity(value, wanted)
        found[key] = math.inf if value == "Infinity" and wanted is float else value
    return found


def _check_together(config: Config) -> None:
    """Check the rules between keys of different groups."""
    data, training = config.data, config.training
    for group in (config.model, config.optimizer):
        if problem := group.problem():
            raise ConfigError(problem)
    if config.model.match != "none" and config.model.params != "any":
        raise ConfigError(
            "model.match and model.params both ask for a size: "
            f"model.match={config.model.match} model.params={config.model.params}; give one"
        )
    for key, wants in (("early_stop", training.early_stop != "never"),
                       ("evaluate", training.evaluate == "best"),
                       ("best", training.best != "auto"),
                       ("min_delta", training.min_delta != 0),
                       ("keep_best", training.keep_best != 0)):  # fmt: skip
        if wants and data.valid == 0:
            raise ConfigError(
                f"training.{key}={getattr(training, key)} chooses by validation, and data.valid=0 "
                "sets no image aside; choose data.valid=5000, say"
            )
    _check_start(training)
    if not (math.isinf(training.clip_norm) or math.isinf(training.clip_value)):
        raise ConfigError(
            "training.clip_norm and training.clip_value both clip the gradient: "
            f"training.clip_norm={training.clip_norm} training.clip_value={training.clip_value}; "
            "give one"
        )
    if training.tbptt != "none" and config.model.bidirectional:
        raise ConfigError(
            "training.tbptt hands the state on from the first time step to the last: "
            f"training.tbptt={training.tbptt} model.bidirectional=true; choose "
            "model.bidirectional=false, or training.tbptt=none"
        )


def _check_start(training: Training) -> None:
    """Check what a run starts from."""
    asked = {"init_head=new": training.init_head == "new",
             "init_optimizer=true": training.init_optimizer}  # fmt: skip
    for word, is_asked in asked.items():
        if is_asked and training.init_from == "none":
            raise ConfigError(
                f"training.{word} says what is taken from another run: training.init_from=none; "
                "write training.init_from=<a run's folder>"
            )
    if training.init_optimizer and (training.init_head == "new" or training.freeze):
        other = "init_head=new" if training.init_head == "new" else f"freeze={training.freeze}"
        raise ConfigError(
            "training.init_optimizer=true takes the state of all weights: "
            f"training.{other}; choose training.init_optimizer=false"
        )
