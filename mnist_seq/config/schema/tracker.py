"""Keys of `tracker=`: the tracker of a run and its settings."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from mnist_seq.config.schema.types import NAMED, Group, Positive


class Tracker(Group):
    name: str


def _no_address(text: str) -> str:
    """Refuse a project name with characters that wandb.init refuses, and the names . and .."""
    if set(text) & set("/\\#?%:") or text in (".", ".."):
        raise PydanticCustomError("address", "a name without : / \\ # ? %, and not . or ..")
    return text


WandBName = Annotated[str, Field(min_length=1, max_length=128), *NAMED, AfterValidator(_no_address)]
Tag = Annotated[str, Field(min_length=1, max_length=64), *NAMED]


class WandB(Tracker):
    option_names: ClassVar = ("wandb",)

    mode: Literal["auto", "online", "offline", "disabled"]
    project: WandBName
    entity: WandBName
    tags: list[Tag]
    artifact: bool
    finish: Positive
