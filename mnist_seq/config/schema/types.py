"""Types for the keys of several groups, and the base class of all groups."""

import math
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from mnist_seq.config.text import is_control

LARGEST = 1e30  # largest factor: float32 ends at 3e38, and kernels refuse products beyond it
MAX_COUNT = 10**12

Fraction = Annotated[float, Field(ge=0, lt=1)]
# closer to 1 than float32 resolves, torch's NAdam divides by zero
Beta = Annotated[
    list[Annotated[float, Field(ge=0, le=0.999999)]], Field(min_length=2, max_length=2)
]
Positive = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]
Finite = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
CountOrNone = Annotated[int, Field(ge=0, le=MAX_COUNT)]


def check_folder_name(text: str) -> str:
    """Refuse a name that is not a plain folder name on every file system."""
    is_plain = not set(text) & set("/\\") and not any(map(is_control, text))
    is_safe = is_plain and not text.startswith(".") and not text.endswith(".")
    if not is_safe or text != text.strip() or not 1 <= len(text.encode(errors="replace")) <= 200:
        raise PydanticCustomError(
            "folder_name",
            "a plain folder name of 1 to 200 bytes, without slashes and control characters, and "
            "without a dot or a space at its ends",
        )
    return text


def _printable(text: str) -> str:
    if any(map(is_control, text)):
        raise PydanticCustomError("printable", "text without control characters")
    return text


def _stripped(text: str) -> str:
    if text != text.strip():
        raise PydanticCustomError("stripped", "a name without spaces at its ends")
    return text


Text = Annotated[str, Field(min_length=1), AfterValidator(_printable)]
# checks of a name; they follow its length, because pydantic counts what follows as list entries
NAMED = (AfterValidator(_printable), AfterValidator(_stripped))


# Hydra's grammar has inf; .inf is YAML's word, Infinity is JSON's and stands in `.hydra/`
INFINITY = {".inf": math.inf, "-.inf": -math.inf, "infinity": math.inf, "-infinity": -math.inf}


def _types(annotation: Any) -> Iterator[Any]:
    """All types in an annotation, such as float in `Literal["none"] | Annotated[float, ...]`."""
    yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)


class Group(BaseModel):
    """One config group. It refuses unknown keys and values of another type.

    Attributes:
        option_names: options of the group that have this class; () for the class of the group and
            for classes on which options build.
    """

    option_names: ClassVar[tuple[str, ...]] = ()

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, ser_json_inf_nan="strings")

    @field_validator("*", mode="before")
    @classmethod
    def _infinity(cls, value: Any, info: ValidationInfo) -> Any:
        """Take infinity as YAML and JSON write it, where a number is meant and no text."""
        if not isinstance(value, str) or value.lower() not in INFINITY:
            return value
        types = set(_types(cls.model_fields[str(info.field_name)].annotation))
        return INFINITY[value.lower()] if float in types and str not in types else value

    @field_validator("*")
    @classmethod
    def _unsigned_zero(cls, value: Any) -> Any:
        """Make -0.0 and 0.0 the same setting."""
        return value + 0.0 if isinstance(value, float) else value
