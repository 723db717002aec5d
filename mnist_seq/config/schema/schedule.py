"""Keys of `schedule=`: the course of the learning rate."""

from typing import Annotated, ClassVar

from pydantic import Field

from mnist_seq.config.schema.types import Count, CountOrNone, Group


class Schedule(Group):
    name: str
    warmup: CountOrNone


class Cosine(Schedule):
    option_names: ClassVar = ("cosine",)

    final: Annotated[float, Field(ge=0, le=1)]


class OneCycle(Schedule):
    option_names: ClassVar = ("onecycle",)

    peak_at: Annotated[float, Field(gt=0, lt=1)]
    start: Annotated[float, Field(ge=0, le=1)]
    final: Annotated[float, Field(ge=0, le=1)]


class Plateau(Schedule):
    option_names: ClassVar = ("plateau",)

    gamma: Annotated[float, Field(gt=0, lt=1)]
    patience: Count
    final: Annotated[float, Field(ge=0, le=1)]


class Step(Schedule):
    option_names: ClassVar = ("step",)

    every: Count
    gamma: Annotated[float, Field(gt=0, le=1)]
