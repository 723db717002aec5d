"""Refuses keys and passwords of services in configs, which are printed and written to disk."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mnist_seq.config.errors import ConfigError

_NAME = r"(api_?key|(access|auth)_token|secret|passw(or)?d)"
_KEY = re.compile(rf"(^|[._]){_NAME}$", re.IGNORECASE)
_IN_VALUE = re.compile(rf"""[{{,._\s'"]{_NAME}['"]?\s*:\s*[^\s,}}]""", re.IGNORECASE)
# Names of variables are longer: HF_TOKEN, AWS_SECRET_ACCESS_KEY
_VARIABLE = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD)$", re.IGNORECASE)
_VARIABLES = "hydra.job.env_set"


def check_words(words: Sequence[str]) -> None:
    """Refuse overrides that hold a secret, before anything is composed.

    Raises:
        ConfigError: names the key, not the value.
    """
    for word in words:
        key, equals, value = word.lstrip("+~").partition("=")
        if equals and (_is_secret(key) or _IN_VALUE.search(value) or _has_variable(key, value)):
            raise _refused(key)


def _has_variable(key: str, value: str) -> bool:
    """Whether all variables are given at once, `hydra.job.env_set={HF_TOKEN:...}`."""
    names = re.findall(r"(\w+)['\"]?\s*:", value) if key == _VARIABLES else []
    return any(map(_VARIABLE.search, names))


def check_values(values: Mapping[Any, Any], name: str = "") -> None:
    """Refuse a config that holds a secret, wherever it came from. References are none.

    Args:
        values: nested; interpolations may stay.
        name: dotted key of the values.

    Raises:
        ConfigError: names the key, not the value.
    """
    for key, value in values.items():
        full = f"{name}.{key}" if name else str(key)
        if isinstance(value, Mapping):
            check_values(value, full)
        elif value and not str(value).startswith("${") and _is_secret(full):
            raise _refused(full)


def _is_secret(key: str) -> bool:
    is_variable = key.startswith(f"{_VARIABLES}.") and _VARIABLE.search(key)
    return bool(is_variable or _KEY.search(key))


def _refused(key: str) -> ConfigError:
    return ConfigError(
        f"a secret stays out of configs, which are written to disk: {key}=***; set it in the "
        "environment (WANDB_API_KEY), or run `wandb login`"
    )
