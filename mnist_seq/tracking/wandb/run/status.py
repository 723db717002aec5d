"""Whether a run is in W&B, as run.json records it under "wandb"."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from mnist_seq.runs.folder import RunFolder

State = Literal["running", "synced", "offline", "partial"]


@dataclass(frozen=True)
class Status:
    """Place and state of a run in W&B.

    Attributes:
        state: "offline": all of it is in W&B's offline files; "partial": some of it is only in the
            run folder.
        reason: why it is not synced, one line.
        variables: the WANDB_ variables that hold for it.
    """

    id: str
    mode: str
    url: str
    state: State
    project: str
    entity: str
    tags: list[str] = dataclasses.field(default_factory=list)
    reason: str = ""
    variables: dict[str, str] = dataclasses.field(default_factory=dict)


def record(folder: RunFolder, status: Status) -> None:
    """Write the status to run.json.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    folder.update_record(wandb=dataclasses.asdict(status))


def recorded(folder: RunFolder) -> dict[str, Any]:
    """The status in run.json; empty where there is none, or the file cannot be read."""
    try:
        found = folder.record().get("wandb", {})
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
