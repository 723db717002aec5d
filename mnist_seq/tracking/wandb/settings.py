"""The keys of `tracker=wandb`, as a run's config and its run.json have them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Settings:
    """The run's `tracker` group."""

    mode: Literal["auto", "online", "offline", "disabled"]
    project: str
    entity: str
    tags: tuple[str, ...]
    artifact: bool
    finish: float

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Settings | None":
        """From run.json; None where the run chose another tracker."""
        values = record.get("config", {}).get("tracker", {})
        return cls.read(values) if values.get("name") == "wandb" else None

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Settings":
        """From a `tracker` group; a key that it lacks has the value of conf/tracker/wandb.yaml."""
        return cls(
            values.get("mode", "auto"),
            values.get("project", "mnist_seq"),
            values.get("entity", "default"),
            tuple(values.get("tags", ())),
            values.get("artifact", False),
            values.get("finish", 30.0),
        )
