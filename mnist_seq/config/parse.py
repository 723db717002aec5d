"""From a composed config to a checked `Config`, and from a `Config` to its identity."""

import difflib
import hashlib
import inspect
import json
import math
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.paths import options
from mnist_seq.config.schema import CHOSEN, NUM_TRAIN, Config, Data, schema_of

M = TypeVar("M", bound=BaseModel)

MAX_LINES = 3  # problems of one group that are named
MAX_STEPS = 10**10  # a year, at 300 steps a second

# What pydantic finds -> our words for the rule; {x} is filled from the error's context.
_RULES = {
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "literal_error": "{expected}",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text (quote it: '\"...\"')",
    "list_type": "a list, such as [a,b]",
    "finite_number": "finite",
    "too_short": "a list of {min_length} entries or more",
    "too_long": "a list of {max_length} entries or fewer",
    "string_too_short": "not empty",
    "dict_type": "a group of keys",
    "string_pattern_mismatch": "a name of letters, digits and . _ -, a letter first",
    "string_too_long": "{max_length} characters or shorter",
    "model_type": "a group of keys; set its keys one by one",
}


def parse(values: Mapping[str, Any]) -> Config:
    """Check a composed config and give it types.

    Args:
        values: plain nested values, interpolations resolved; keys of Hydra's own left out.

    Raises:
        ConfigError: an unknown key, a wrong type or an impossible value.
    """
    if "ablation" in values:
        raise ConfigError(
            "an ablation study is a sweep of several runs: add -m before ablation=... "
            "(hydra/sweeper=mnist_seq, the default, runs it)"
        )
    groups: dict[str, BaseModel] = {}
    for group, base in CHOSEN.items():
        given = values.get(group)
        if not isinstance(given, Mapping):
            raise ConfigError(f"{group} must be a config group: {group}={given!r}; choose one of "
                              f"{', '.join(options(group))}")  # fmt: skip
        schema = base
        if "name" in given:
            name = given["name"]
            try:
                schema = schema_of(group, name if isinstance(name, str) else "")
            except KeyError:
                raise ConfigError(_no_option(group, _shown(name))) from None
        groups[group] = validated(schema, given, group)
    config = validated(Config, {**values, **groups}, "", known=list(known_keys(values)))
    _check_together(config)
    return config


def rooted(config: Config, folder: str) -> Config:
    """The config with `data.root` as a path from a folder, where it was typed."""
    root = os.path.abspath(os.path.join(folder, os.path.expanduser(config.data.root)))
    return config.model_copy(update={"data": config.data.model_copy(update={"root": root})})


def plain(config: Config) -> dict[str, Any]:
    """A config as nested values that JSON can hold; infinity is text."""
    values: dict[str, Any] = json.loads(config.model_dump_json(serialize_as_any=True))
    return values


def parse_plain(values: Mapping[str, Any]) -> Config:
    """The config that `plain` wrote.

    Raises:
        ConfigError: it is of another version of this project.
    """
    return parse(_with_infinity(values, Config))


def _with_infinity(values: Mapping[str, Any], schema: type[BaseModel]) -> dict[str, Any]:
    """Values in which text that stands for infinity is a number, where a number is wanted."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        field = schema.model_fields.get(key)
        wanted = None if field is None else field.annotation
        if isinstance(value, Mapping) and inspect.isclass(wanted) and issubclass(wanted, BaseModel):
            value = _with_infinity(value, wanted)
        found[key] = math.inf if value == "Infinity" and wanted is float else value
    return found


# Keys that no result depends on: where things lie, what they are called, who watches
NOT_OF_A_RESULT = (
    "arm",
    "tracker",
    "sweep",
    "data.root",
    "training.diagnostics",
    "training.checkpoint_every",
)


def identity(config: Config) -> str:
    """SHA-256 (hex) over everything in a config that its numbers depend on.

    Left out: where things lie, what they are called, who watches, and how runs are launched. The
    data's content has its own fingerprint.
    """
    values = plain(config)
    for key in NOT_OF_A_RESULT:
        group, _, name = key.rpartition(".")
        del (values[group] if group else values)[name]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def known_keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of all keys in a composed config."""
    for key, value in values.items():
        yield prefix + key
        if isinstance(value, Mapping):
            yield from known_keys(value, f"{prefix}{key}.")


def suggestion(wrong: str, known: Collection[str]) -> str:
    """'; did you mean x?', or '' where nothing is near."""
    parent, _, last = wrong.rpartition(".")
    siblings = [key for key in known if key.rpartition(".")[0] == parent]
    near = difflib.get_close_matches(last, [key.rpartition(".")[2] for key in siblings], n=1)
    if near:
        return f"; did you mean {parent}{'.' * bool(parent)}{near[0]}?"
    # `hidden=64` for `model.hidden=64`, `modle.hidden` for `model.hidden`
    near = [key for key in known if key.rpartition(".")[2] == wrong][:1]
    near = near or difflib.get_close_matches(wrong, known, n=1, cutoff=0.8)
    return f"; did you mean {near[0]}?" if near else ""


def check_words(words: Iterable[str]) -> None:
    """Refuse overrides that would make a config contradict its group choices, or each other.

    Raises:
        ConfigError: a group is set to no option of its own, a group's `name` is set by itself, or
            `model.hidden` is given beside a size that it is solved for.
    """
    given: dict[str, str] = {}
    for word in words:
        key, equals, value = word.lstrip("+").partition("=")
        group, _, last = key.rpartition(".")
        if group in CHOSEN and last == "name":
            raise ConfigError(
                f"{key} goes with its group's other keys: {word}; write {group}={value}"
            )
        value = value.strip("'\"")
        if key in CHOSEN and equals and value not in options(key):
            raise ConfigError(_no_option(key, value))
        given[key] = value
    for key, none in (("model.match", "none"), ("model.params", "any")):
        if "model.hidden" in given and given.get(key, none) != none:
            raise ConfigError(
                f"{key} solves model.hidden, which is given too: model.hidden="
                f"{given['model.hidden']} {key}={given[key]}; give one"
            )


def validated(
    schema: type[M], values: Mapping[str, Any], prefix: str, known: list[str] | None = None
) -> M:
    """Values as a schema has them.

    Args:
        prefix: the group's name, for the errors.
        known: keys that a wrong one may have been meant for; the schema's own where left out.

    Raises:
        ConfigError: all that is wrong with them, in one line.
    """
    try:
        return schema.model_validate(dict(values))
    except ValidationError as error:
        fields = [f"{prefix}.{k}" if prefix else k for k in schema.model_fields]
        lines = _problems(error, prefix, fields, known or fields)
        rest = f"; and {len(lines) - MAX_LINES} more" if lines[MAX_LINES:] else ""
        raise ConfigError("; ".join(lines[:MAX_LINES]) + rest) from None


def _problems(
    error: ValidationError, prefix: str, fields: list[str], known: list[str]
) -> list[str]:
    """One text a key: the branches of a union are joined by 'or'."""
    rules: dict[str, tuple[list[str], Any]] = {}
    lines = []
    for e in error.errors():
        # The last parts of a location may name a union's branch
        path = [prefix, *(str(part) for part in e["loc"] if not _is_union_branch(str(part)))]
        key = ".".join(part for part in path if part)
        if e["type"] == "extra_forbidden":
            near = suggestion(key, [k for k in known if k != key])
            near = near or f"; the keys are {', '.join(fields)}"
            lines.append(f"no code reads {key}: {key}={_shown(e['input'])}{near}")
        elif e["type"] == "missing":
            lines.append(f"{key} must be given; write {key}=<value>")
        else:
            rules.setdefault(key, ([], e["input"]))[0].append(_rule(e))
    lines += [
        f"{key} must be {', or '.join(dict.fromkeys(found))}: {key}={_shown(value)}"
        for key, (found, value) in rules.items()
    ]
    return lines


def _rule(error: Any) -> str:
    context = {
        k: v.replace("'", "") if isinstance(v, str) else f"{v:g}" if isinstance(v, float) else v
        for k, v in error.get("ctx", {}).items()
    }
    return _RULES[error["type"]].format(**context) if error["type"] in _RULES else error["msg"]


def _is_union_branch(part: str) -> bool:
    return part in {"int", "float", "str"} or part.startswith(("literal[", "constrained-"))


def _shown(value: Any) -> str:
    """A value as one would type it; text that looks like a number shows its quotes."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value) if isinstance(value, str) and _is_number(value) else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _no_option(group: str, name: str) -> str:
    names = options(group)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {group}={near[0]}?" if near else ""
    return f"{group} must be one of {', '.join(names)}: {group}={name}{hint}"


def _check_together(config: Config) -> None:
    """Rules that hold between keys."""
    data, training = config.data, config.training
    for group in (config.model, config.data):
        if problem := group.problem():
            raise ConfigError(problem)
    if config.model.match != "none" and config.model.params != "any":
        raise ConfigError(
            "model.match and model.params both ask for a size: "
            f"model.match={config.model.match} model.params={config.model.params}; give one"
        )
    _check_split(data)
    check_steps(config)
    for key, wants in (("early_stop", training.early_stop != "never"),
                       ("evaluate", training.evaluate == "best")):  # fmt: skip
        if wants and data.valid == 0:
            raise ConfigError(
                f"training.{key}={getattr(training, key)} chooses by validation, and data.valid=0 "
                "sets no image aside; choose data.valid=5000, say"
            )
    if training.tbptt != "none" and config.model.bidirectional:
        raise ConfigError(
            "training.tbptt hands the state on from the first time step to the last: "
            f"training.tbptt={training.tbptt} model.bidirectional=true; choose "
            "model.bidirectional=false, or training.tbptt=none"
        )
    momentum = getattr(config.optimizer, "momentum", 0.0)
    if getattr(config.optimizer, "nesterov", False) and (
        momentum == 0 or getattr(config.optimizer, "dampening", 0.0) != 0
    ):
        raise ConfigError(
            "optimizer.nesterov=true needs a momentum and no dampening: "
            f"optimizer.momentum={momentum}; write optimizer.momentum=0.9 optimizer.dampening=0"
        )


def num_steps(config: Config) -> int:
    """Optimizer updates of a run that nothing stops early."""
    data = config.data
    num_train = NUM_TRAIN[data.name] - data.valid if data.limit == "all" else data.limit
    return math.ceil(num_train / config.training.batch_size) * config.training.epochs


def check_steps(config: Config) -> None:
    """Refuse a run that does not come to an end, or a warm-up that does not.

    Raises:
        ConfigError: names the key.
    """
    if config.data.name not in NUM_TRAIN:
        return
    if num_steps(config) > MAX_STEPS:
        raise ConfigError(
            f"training.epochs must come to an end: training.epochs={config.training.epochs} is "
            f"{num_steps(config):,} steps, more than {MAX_STEPS:,}; choose less"
        )
    if config.schedule.warmup and config.schedule.warmup >= num_steps(config):
        raise ConfigError(
            "schedule.warmup must end before the run does: "
            f"schedule.warmup={config.schedule.warmup} of {num_steps(config)} steps; choose less"
        )


def _check_split(data: Data) -> None:
    num_train = NUM_TRAIN.get(data.name)
    if num_train is None:
        return
    if data.valid >= num_train:
        raise ConfigError(
            f"data.valid must leave training images: data.valid={data.valid} of {num_train:,} "
            f"in {data.name}; choose data.valid below {num_train}"
        )
    if data.limit != "all" and data.limit > num_train - data.valid:
        raise ConfigError(
            f"data.limit must not exceed the training images that data.valid={data.valid} leaves: "
            f"data.limit={data.limit} of {num_train - data.valid:,} in {data.name}; choose "
            f"data.limit={num_train - data.valid} or less, or data.limit=all"
        )
