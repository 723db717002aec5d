"""The keys of `tracker=wandb`, as a run's config and its run.json have them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from mnist_seq.tracking.wandb import variables


@dataclass(frozen=True)
class Settings:
    """The run's `tracker` group. The defaults are those of conf/tracker/wandb.yaml."""

    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    project: str = "mnist_seq"
    entity: str = "default"
    tags: tuple[str, ...] = ()
    artifact: bool = False
    finish: float = 30.0

    @classmethod
    def of_record(
        cls, record: Mapping[str, Any], held: Mapping[str, str] | None = None
    ) -> "Settings | None":
        """From run.json; None where the run chose another tracker.

        Args:
            held: the variables that hold for the run.
        """
        values = record.get("config", {}).get("tracker", {})
        return cls.read(values, held) if values.get("name") == "wandb" else None

    @classmethod
    def read(cls, values: Mapping[str, Any], held: Mapping[str, str] | None = None) -> "Settings":
        """From a `tracker` group, which may lack keys, and the variables that hold."""
        given = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        given |= {
            variables.KEYS[name]: v for name, v in (held or {}).items() if name in variables.KEYS
        }
        return cls(**{**given, "tags": variables.split_tags(given.get("tags", ()))})
