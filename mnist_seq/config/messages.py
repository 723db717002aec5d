"""Writes the refusal of a config in one line: the rule, the value, the way out."""

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.text import reads_as_number

M = TypeVar("M", bound=BaseModel)

MAX_LINES = 3  # number of problems of one group in a message

# pydantic's error type -> our text of the rule; {x} is filled from the error's context.
_RULES = {
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "multiple_of": "a multiple of {multiple_of}",
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

# Words of other libraries and programs, which no spelling brings near ours
_KEYS = {
    "units": "model.hidden", "num_units": "model.hidden",
    "widths": "model.below", "hidden_sizes": "model.below",
    "learning_rate": "optimizer.lr", "decay": "optimizer.weight_decay",
    "wd": "optimizer.weight_decay", "l2": "optimizer.weight_decay",
    "steps": "training.updates", "max_steps": "training.updates", "n_iters": "training.updates",
    "iterations": "training.updates", "patience": "training.early_stop",
    "grad_clip": "training.clip_norm", "gradient_clip": "training.clip_norm",
    "gradient_clip_val": "training.clip_norm", "max_grad_norm": "training.clip_norm",
    "amp": "device.precision", "mixed_precision": "device.precision",
    "cell": "model", "net": "model", "network": "model", "wandb": "tracker", "gpu": "device",
}  # fmt: skip
_OPTIONS = {"gpu": "cuda", "disabled": "none", "off": "none", "fmnist": "fashion_mnist"}


def validated(
    schema: type[M], values: Mapping[str, Any], prefix: str, known: list[str] | None = None
) -> M:
    """The values checked and typed by a schema.

    Args:
        prefix: name of the group, for the errors.
        known: keys to suggest for an unknown one; by default those of the schema.

    Raises:
        ConfigError: everything that is wrong, in one line.
    """
    try:
        return schema.model_validate(dict(values))
    except ValidationError as error:
        fields = [f"{prefix}.{k}" if prefix else k for k in schema.model_fields]
        lines = _problems(error, prefix, fields, known or fields)
        rest = f"; and {len(lines) - MAX_LINES} more" if lines[MAX_LINES:] else ""
        raise ConfigError("; ".join(lines[:MAX_LINES]) + rest) from None


def known_keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of all keys in a composed config."""
    for key, value in values.items():
        yield prefix + key
        if isinstance(value, Mapping):
            yield from known_keys(value, f"{prefix}{key}.")


def suggestion(wrong: str, known: Collection[str]) -> str:
    """'; did you mean x?', or '' if no key is similar."""
    parent, _, last = wrong.rpartition(".")
    if (ours := _KEYS.get(last)) in known:
        return f"; did you mean {ours}?"
    siblings = [key for key in known if key.rpartition(".")[0] == parent]
    # `hidden=64` or `training.hidden=64` for `model.hidden=64`
    same = [key for key in known if key.rpartition(".")[2] == last]
    if parent and len(same) == 1:
        return f"; did you mean {same[0]}?"
    if sibling := _near(last, [key.rpartition(".")[2] for key in siblings]):
        return f"; did you mean {parent}{'.' * bool(parent)}{sibling}?"
    # it is in that group already, and unlike its keys, whatever their common start is
    known = [
        k for k in known if not wrong.startswith(f"{k}.") and (k not in siblings or not parent)
    ]
    near = [] if parent else same[:1]
    # `modle.hidden` for `model.hidden`
    near = near or difflib.get_close_matches(wrong, known, n=1, cutoff=0.8)
    return f"; did you mean {near[0]}?" if near else ""


def no_option(group: str, name: str, names: Sequence[str]) -> str:
    """The error text for a name that a group, or its key `name`, does not have."""
    near = _OPTIONS.get(name, "")
    near = near if near in names else _near(name, names)
    hint = f"; did you mean {group}={near}?" if near else ""
    return f"{group} must be one of {', '.join(names)}: {group}={name}{hint}"


def _near(word: str, names: Sequence[str]) -> str:
    """The name that is spelt nearly so, or the only one that starts so; "" for none."""
    near = difflib.get_close_matches(word.lower(), names, n=1)
    near = near or [name for name in names if name.startswith(word) and len(word) > 2]
    return near[0] if len(near) == 1 else ""


def shown(value: Any) -> str:
    """A value as a user types it; text that looks like a number has quotes."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value) if isinstance(value, str) and reads_as_number(value) else str(value)


def _problems(
    error: ValidationError, prefix: str, fields: list[str], known: list[str]
) -> list[str]:
    """One text for each key; the branches of a union are joined by 'or'."""
    rules: dict[str, tuple[list[str], Any]] = {}
    lines = []
    for e in error.errors():
        # the last parts of a location may be a branch of a union
        path = [prefix, *(str(part) for part in e["loc"] if not _is_union_branch(str(part)))]
        key = ".".join(part for part in path if part)
        if e["type"] == "extra_forbidden":
            near = suggestion(key, [k for k in known if k != key])
            near = near or f"; the keys are {', '.join(dict.fromkeys(fields))}"
            lines.append(f"no code reads {key}: {key}={shown(e['input'])}{near}")
        elif e["type"] == "missing":
            lines.append(f"{key} must be given; write {key}=<value>")
        elif e["type"] == "value_error":  # of a rule between keys, which says all itself
            lines.append(str(e["ctx"]["error"]))
        else:
            rules.setdefault(key, ([], e["input"]))[0].append(_rule(e))
    for key, (found, value) in rules.items():
        rule = ", or ".join(dict.fromkeys(found))
        lines.append(f"{key} must be {rule}: {key}={shown(value)}{_decoded(key, value)}")
    return lines


def _decoded(key: str, value: Any) -> str:
    """What to do where a number is text, as the value of an environment variable always is."""
    if not isinstance(value, str) or not reads_as_number(value):
        return ""
    return (
        "; that is text: leave out its quotes; for ${oc.env:X} write, with all of these quotes, "
        f"'{key}=\"${{oc.decode:${{oc.env:X}}}}\"'"
    )


def _rule(error: Any) -> str:
    context = {
        k: v.replace("'", "") if isinstance(v, str) else f"{v:g}" if isinstance(v, float) else v
        for k, v in error.get("ctx", {}).items()
    }
    return _RULES[error["type"]].format(**context) if error["type"] in _RULES else error["msg"]


def _is_union_branch(part: str) -> bool:
    return part in {"int", "float", "str"} or part.startswith(("literal[", "constrained-"))
