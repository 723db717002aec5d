"""A run that W&B must have: where it goes, and what is known of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb import variables
from mnist_seq.tracking.wandb.run import contents, status
from mnist_seq.tracking.wandb.run.contents import Identity
from mnist_seq.tracking.wandb.settings import Settings
from mnist_seq.tracking.wandb.sync import server_state

How = Literal["there", "replayed", "rebuilt", "missing"]


@dataclass
class Item:
    """A run that W&B must have.

    Attributes:
        how: "there": W&B had all of it; "replayed": its offline file was sent; "rebuilt": it was
            sent from its folder; "missing": the server has not yet shown all rows and the end.
        reason: why it is missing.
        entity: whose it is on the server; "" before the server has said so.
        may_lack_files: some of its files may not have arrived, which its rows do not show.
        held: the WANDB_ variables that hold for it.
    """

    folder: RunFolder
    settings: Settings
    identity: Identity
    how: How = "missing"
    reason: str = ""
    url: str = ""
    entity: str = ""
    may_lack_files: bool = False
    held: dict[str, str] = field(default_factory=dict)

    @property
    def project(self) -> str:
        return server_state.path_of(self.settings.project, self.settings.entity)


def read(folder: RunFolder, *, project: str = "", entity: str = "") -> Item:
    """The run of a folder.

    Args:
        project, entity: where to send it, instead of where its config says.

    Raises:
        ValueError, OSError: the folder holds no run that can be read.
    """
    options = folder.record().get("config", {}).get("tracker", {})
    # Damaged files must not reach W&B as an interruption or as fewer rows
    folder.state()
    if num := folder.num_damaged_metrics():
        raise ValueError(f"{folder.metrics_path} must be whole: damaged lines: {num}")
    known = status.recorded(folder)
    held = held_by(folder, known, options)
    settings = Settings.read(options, held)
    # What has a place on the server keeps it
    own = known if known.get("mode") == "online" else {}
    settings = replace(
        settings,
        project=project or own.get("project") or settings.project,
        entity=entity or own.get("entity") or settings.entity,
    )
    identity = contents.identify(folder, held=held)
    is_partial = known.get("state") == "partial"
    return Item(folder, settings, identity, may_lack_files=is_partial, held=held)


def held_by(
    folder: RunFolder, known: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, str]:
    """The variables that hold for a run: those that held when it trained, and those set now.

    What it was shown as when it trained stays. Where it goes may be said now, by WANDB_PROJECT and
    WANDB_ENTITY, as long as it was on no server.

    Args:
        known: the entry "wandb" of its run.json.
        options: its `tracker` group.
    """
    earlier, given = variables.recorded(known), dict(os.environ)
    if known:
        now = ("WANDB_DIR", "WANDB_PROJECT", "WANDB_ENTITY")
        given = {name: given[name] for name in now if name in given}
    is_sweep = contents.is_in_sweep(folder)
    return variables.holding(options, is_sweep=is_sweep, given={**earlier, **given})
