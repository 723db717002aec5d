"""Where the mirror of a run stands, as run.json records it."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from mnist_seq.runs.folder import RunFolder

State = Literal["running", "synced", "offline", "partial"]


@dataclass(frozen=True)
class Status:
    """The run in W&B.

    Attributes:
        state: offline: all of it lies in files of W&B's; partial: some of it is nowhere but in the
            run folder.
        reason: why it is not synced, one line.
    """

    id: str
    mode: str
    url: str
    state: State
    project: str
    entity: str
    tags: list[str] = dataclasses.field(default_factory=list)
    reason: str = ""


def record(folder: RunFolder, status: Status) -> None:
    """Write it to run.json.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    folder.update_record(wandb=dataclasses.asdict(status))


def recorded(folder: RunFolder) -> dict[str, Any]:
    """What run.json says of W&B; empty where it says nothing, or cannot be read."""
    try:
        found = folder.record().get("wandb", {})
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
