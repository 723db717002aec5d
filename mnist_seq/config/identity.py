"""A config as plain values, and its identity: what its numbers depend on."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from mnist_seq.config.schema import Config, Group

# Keys that no result depends on: where things lie, what they are called, who watches
NOT_OF_A_RESULT = (
    "arm",
    "tracker",
    "sweep",
    "data.root",
    "data.path",
    "training.diagnostics",
    "training.keep_best",
    "training.init_from",  # `training.init_source` says what was there
    "training.checkpoint_every",
)


def plain(config: Config) -> dict[str, Any]:
    """A config as nested values that JSON can hold; infinity is text.

    A key with a default in its schema came after runs existed. It is left out where it has this
    value, so that such a config is still that of the older runs.
    """
    text = config.model_dump_json(serialize_as_any=True, exclude_defaults=True)
    values: dict[str, Any] = json.loads(text)
    return values


def left_out(config: Config) -> dict[str, Any]:
    """The values that keys have where `plain` leaves them out, in its form."""
    found = {
        name: {
            key: field.get_default(call_default_factory=True)
            for key, field in type(group).model_fields.items()
            if not field.is_required()
        }
        for name, group in config
        if isinstance(group, Group)
    }
    values: dict[str, Any] = to_jsonable_python(found, inf_nan_mode="strings")
    return values


def identity(config: Config) -> str:
    """SHA-256 (hex) over everything in a config that its numbers depend on.

    Left out: where things lie, what they are called, who watches, and how runs are launched. The
    data's content has its own fingerprint.
    """
    return identity_of(result_values(config))


def result_values(config: Config) -> dict[str, Any]:
    """The values of a config that its numbers depend on."""
    values = plain(config)
    for key in NOT_OF_A_RESULT:
        group, _, name = key.rpartition(".")
        (values[group] if group else values).pop(name, None)  # path is a key of one data set alone
    return values


def identity_of(values: Mapping[str, Any]) -> str:
    """The identity of a config with such `result_values`."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
