"""What a paper says of an experiment: `expects` of `conf/experiment/<name>.yaml`.

It says nothing on how a run trains, so `parse` takes it off: no run's config or identity has it.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from mnist_seq.config.errors import ConfigError
from mnist_seq.config.messages import shown, validated
from mnist_seq.config.schema.types import Finite, Group, NonNegative, Positive, Text

KEY = "expects"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}")


class Expected(Group):
    """One published number, in the unit of result.json: an accuracy of 98.9 % is 0.989.

    Attributes:
        overrides: words of the train command that this number needs beside the experiment's name.
        tolerance: what the published number is known to, up and down; or `interval`, its ends.
        sides: one: a better value than the published one is as good | both: as a guess's loss.
        place: in the source: "table 1, page 5".
        budget: how long theirs trained.
        differs: how theirs differs from ours.
        minutes: of one seed on one core of a CPU, roughly; it stands where no result is stored.
    """

    overrides: list[Text] = Field(default_factory=list)
    metric: Annotated[str, Field(pattern=r"^test(@[0-9]+)?/[a-z0-9_]+$")] = "test/accuracy"
    value: Finite
    tolerance: NonNegative | Literal["none"] = "none"
    interval: Annotated[list[Finite], Field(min_length=2, max_length=2)] | Literal["none"] = "none"
    sides: Literal["one", "both"] = "one"
    source: Text
    place: Text = "not known"
    budget: Text = "not known"
    differs: Text = "not known"
    minutes: Positive | Literal["none"] = "none"


def expected(given: Any) -> dict[str, Expected]:
    """The rows of `expects`, by their names.

    Args:
        given: plain value of the key.

    Raises:
        ConfigError: an unknown key, a wrong type or an impossible value.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"{KEY} must be a group of rows, each a published number with its name: "
            f"{KEY}={shown(given)}; write {KEY}: {{lstm: {{value: 0.989, ...}}}}"
        )
    return {str(name): _row(str(name), values) for name, values in given.items()}


def _row(name: str, values: Any) -> Expected:
    key = f"{KEY}.{name}"
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"a row of {KEY} has a name of letters, digits and _ -, a letter first: {key}; "
            "rename it"
        )
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"{key} must be a group of keys: {key}={shown(values)}; write value, source and "
            "tolerance or interval below it"
        )
    row = validated(Expected, values, key)
    if (row.tolerance == "none") == (row.interval == "none"):
        raise ConfigError(
            f"{key} needs a band, from tolerance or from interval: {key}.tolerance="
            f"{row.tolerance} {key}.interval={row.interval}; give one"
        )
    low, high = band(row)
    if row.metric.endswith("accuracy") and not 0 <= row.value <= 1:
        raise ConfigError(
            f"an accuracy is a fraction, as in result.json: {key}.value={row.value:g}; write "
            f"{key}.value={row.value / 100:g} for {row.value:g} %"
        )
    if not low <= row.value <= high:
        raise ConfigError(
            f"{key}.interval holds {key}.value: {key}.interval=[{low:g},{high:g}] {key}.value="
            f"{row.value:g}; write the lower end first"
        )
    return row


def band(row: Expected) -> tuple[float, float]:
    """The published band: the value with its tolerance, or the interval."""
    if row.interval != "none":
        return row.interval[0], row.interval[1]
    half = float(row.tolerance)
    return row.value - half, row.value + half
