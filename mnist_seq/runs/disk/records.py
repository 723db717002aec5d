"""What run.json, result.json, metrics.jsonl and predictions.npz must hold, whoever wrote them.

The files of a run are checked here once, where `RunFolder` reads them, so that no later code meets
a value of another type or one that it cannot compute with. Keys that are not named here are kept
as they are. All functions raise ValueError; the text names the key, the rule and the value.
"""

import re
import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mnist_seq.runs.events import BY_ACCURACY

if TYPE_CHECKING:
    import numpy as np

LARGEST = 1e40  # float32 ends at 3e38; squares and their sums must fit into float64
MOST_OUTPUTS = 4096  # a table of labels and predictions has the square of it
MOST_SECONDS = 1e11  # 3,000 years
MOST_STEPS = 2**53  # larger whole numbers are not all in float64

Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS, allow_inf_nan=False)]
Scalar = bool | int | float | str | None
Metrics = dict[str, Number | None]
_ABSENT: Any = None  # pydantic would copy a list for each run that is read


class _Checked(BaseModel):
    """Values of exactly these types; further keys are not looked at."""

    model_config = ConfigDict(strict=True, extra="ignore")


class _Named(_Checked):
    name: Annotated[str, Field(min_length=1)]


class _Group(_Checked):
    name: str = ""


class _Tracker(_Checked):
    name: str = ""
    mode: str = ""
    project: str = ""
    entity: str = ""
    tags: list[str] = _ABSENT
    artifact: bool = False
    finish: Seconds = 0.0


class _Config(_Checked):
    seed: Count
    arm: str = "none"
    model: _Named
    data: _Group
    optimizer: _Group = _ABSENT
    schedule: _Group = _ABSENT
    device: _Group = _ABSENT
    training: dict[str, Any] = _ABSENT
    tracker: _Tracker = _ABSENT
    sweep: _Group = _ABSENT


class _Data(_Checked):
    data: str = ""
    fingerprint: str = ""
    permutation_hash: str = ""
    split: str = ""
    num_train: Count = 0
    num_valid: Count = 0
    num_test: Count = 0


class _Metric(_Checked):
    higher_is_better: bool
    unit: str = ""
    points: str | None = None
    scale: Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)] = 1.0
    decimals: Annotated[int, Field(ge=0, le=12)] = 4


class _Task(_Checked):
    name: str = ""
    output: str = "class"
    num_outputs: Annotated[int, Field(ge=1, le=MOST_OUTPUTS)] = 10
    per_step: bool = False
    main: str = ""
    metrics: dict[str, _Metric] = _ABSENT
    guess: dict[str, Number] = _ABSENT
    plateaus: dict[str, Number] = _ABSENT


class _WandB(_Checked):
    """`id` is part of the names of files: nothing in it may lead elsewhere."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,128}$")] = ""
    mode: str = ""
    url: str = ""
    state: str = ""
    project: str = ""
    entity: str = ""
    reason: str = ""
    tags: list[str] = _ABSENT
    variables: dict[str, str] = _ABSENT


class _Code(_Checked):
    scheme: int = 1
    hash: str = ""
    shared: str = ""
    commit: str = ""
    version: str = ""
    is_dirty: bool = False


class _Scale(_Checked):
    mean: list[Number]
    sd: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]]


class _Record(_Checked):
    name: str = ""
    config_hash: str
    config: _Config
    data: _Data
    overrides: list[str] = _ABSENT
    task: _Task = _ABSENT
    device: str = ""
    stack: Count = 1
    created: str = ""
    started: str = ""
    starts: Count = 0
    code: _Code = _ABSENT
    versions: dict[str, str] = _ABSENT
    host: dict[str, Scalar] = _ABSENT
    wandb: _WandB = _ABSENT
    pulled: dict[str, Scalar] = _ABSENT
    origin: dict[str, Scalar | Metrics] = _ABSENT
    scale: _Scale | None = None


class _Result(_Checked):
    state: Literal["finished", "diverged"]
    reason: str = ""
    metrics: Metrics
    best: Metrics = _ABSENT
    num_params: Annotated[float, Field(ge=0, le=1e18)]
    state_size: Annotated[float, Field(ge=0, le=1e18)] | None = None
    multiply_adds: Annotated[float, Field(ge=0, le=1e18)] | None = None
    steps: Annotated[float, Field(ge=0, le=1e18)] | None = None
    seconds: Seconds


_RULES = {
    "missing": "must be given",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a group of keys",
    "model_type": "must be a group of keys",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than_equal": "must be {le:g} or less",
    "less_than": "must be less than {lt:g}",
    "string_pattern_mismatch": "must have letters, digits and _ . - alone",
}


def judged(task: Mapping[str, Any]) -> dict[str, Any]:
    """`task` of run.json, with every key that those who show the run need."""
    found = {**BY_ACCURACY, **task}
    plain = {"unit": "", "scale": 1.0, "decimals": 4}
    return {**found, "metrics": {name: {**plain, **own} for name, own in found["metrics"].items()}}


def check_arrays(arrays: "Mapping[str, np.ndarray]") -> None:
    """predictions.npz: labels and predictions of one shape, finite numbers."""
    if missing := {"label", "prediction"} - arrays.keys():
        raise ValueError(f"it lacks {' and '.join(sorted(missing))}")
    label, prediction = arrays["label"], arrays["prediction"]
    if label.shape != prediction.shape or not label.ndim or not label.size:
        raise ValueError(f"labels have the shape {label.shape}, predictions {prediction.shape}")
    for name, array in (("label", label), ("prediction", prediction)):
        if array.dtype.kind not in "uif" or array.dtype.itemsize > 8:
            raise ValueError(f"{name} must have numbers: {array.dtype}")
        low, high = float(array.min()), float(array.max())  # NaN where one is NaN
        if not -LARGEST <= low <= high <= LARGEST:
            raise ValueError(
                f"{name} must be from -{LARGEST:g} to {LARGEST:g}: {low:g} to {high:g}"
            )
    for name, kinds in (("mask", "b"), ("image", "u")):
        if name in arrays and arrays[name].dtype.kind not in kinds:
            raise ValueError(f"{name} has the type {arrays[name].dtype}")
    if "mask" in arrays and arrays["mask"].shape != label.shape[: arrays["mask"].ndim]:
        raise ValueError(f"mask has the shape {arrays['mask'].shape}, labels {label.shape}")
    if "image" in arrays:
        shape = arrays["image"].shape
        if shape[1:] != (28, 28) or shape[0] > len(label):
            raise ValueError(f"image has the shape {shape}, labels {label.shape}")


def are_classes(array: "np.ndarray", num: int = MOST_OUTPUTS) -> bool:
    """Whether all values are numbers of classes, of which there are `num`."""
    is_whole = array.dtype.kind in "ui"
    return bool(is_whole and array.min(initial=0) >= 0 and array.max(initial=0) < num)


def check_record(record: Mapping[str, Any]) -> None:
    """run.json: what the run is, and where its numbers come from."""
    _check(_Record, record)
    _check_leaves("config", record["config"])
    for key, value in record["data"].items():
        if isinstance(value, dict | list):
            raise ValueError(f"data.{key} must be one value: {reprlib.repr(value)}")


def check_result(result: Mapping[str, Any]) -> None:
    """result.json: how the run ended."""
    _check(_Result, result)


def is_evaluation(row: Mapping[str, Any]) -> bool:
    """Whether a line of metrics.jsonl holds numbers alone, and a step and seconds that can be."""
    if not all(_is_value(value) for value in row.values()):
        return False
    step, seconds = row.get("step", 0), row.get("seconds", 0)
    if step is None or seconds is None:
        return False
    return bool(0 <= step <= MOST_STEPS and 0 <= seconds <= MOST_SECONDS)


def _is_value(value: Any) -> bool:
    if type(value) is float or type(value) is int:
        return -LARGEST <= value <= LARGEST
    return value is None


def _check(schema: type[BaseModel], values: Mapping[str, Any]) -> None:
    try:
        schema.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        rule = _RULES.get(first["type"])
        rule = rule.format(**first.get("ctx", {})) if rule else _rule(first["msg"])
        is_missing = first["type"] == "missing"
        value = "" if is_missing else f": {reprlib.repr(first['input'])}"
        raise ValueError(f"{key} {rule}{value}") from None


def _rule(text: str) -> str:
    return re.sub(r"^Input should be", "must be", text)


def _check_leaves(name: str, group: Mapping[str, Any]) -> None:
    """Values that can be compared and named: groups of keys, and lists of single values."""
    for key, value in group.items():
        if not key or "." in key:
            raise ValueError(f"{name} must have keys without dots: {key!r}")
        if isinstance(value, dict):
            _check_leaves(f"{name}.{key}", value)
        elif not isinstance(value, list) or name == "config.sweep":
            continue
        elif any(isinstance(inner, dict | list) for inner in value):
            raise ValueError(f"{name}.{key} must be a list of single values: {reprlib.repr(value)}")
