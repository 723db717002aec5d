"""What the run says, passed on to W&B; what became of it, written to run.json."""

import dataclasses
import hashlib
from typing import Any

from mnist_seq.config import Config, identity
from mnist_seq.config.schema import WandB
from mnist_seq.runs.events import Ended, Listener, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking import library
from mnist_seq.tracking.link import FINISH_SECONDS, INIT_SECONDS, Identity, Link, Status, log
from mnist_seq.tracking.mode import PROBE_SECONDS, is_disabled

# The longest that the end of a run waits for W&B; wandb's own limits come first, by 10 s of grace
END_SECONDS = PROBE_SECONDS + INIT_SECONDS + FINISH_SECONDS + 10


def open_tracker(
    config: Config, folder: RunFolder, *, name: str, group: str, job_type: str = "train"
) -> Listener:
    """The run's mirror; a plain Listener that does nothing for tracker=none or mode=disabled.

    Args:
        name: what the run is called, "lstm" or the swept overrides.
        group: the sweep's name; "" for a run of its own.
    """
    if not isinstance(config.tracker, WandB) or is_disabled(config.tracker):
        return Listener()
    return Mirror(config, config.tracker, folder, name, group, job_type)


class Mirror(Listener):
    """The W&B mirror of one run.

    No fault of W&B reaches the run: it is one warning, and a state in run.json. Where even that
    cannot be written (a full disk), it is a warning too: the run's own files tell of it first.
    """

    def __init__(
        self,
        config: Config,
        tracker: WandB,
        folder: RunFolder,
        name: str,
        group: str,
        job_type: str,
    ) -> None:
        self._config = config
        self._tracker = tracker
        self._folder = folder
        self._name = name
        self._group = group
        self._job_type = job_type
        self._link: Link | None = None
        self._recorded: Status | None = None

    def started(self, event: Started) -> None:
        found = self._identity(event)
        library.prepare(found.dir / "wandb" / "local")
        self._link = Link(self._tracker, found)
        self._record()
        self._link.start()

    def evaluated(self, row: dict[str, float]) -> None:
        if self._link is not None:
            self._link.send(dict(row))
            self._record()

    def ended(self, event: Ended) -> None:
        if self._link is None:
            return
        self._link.send(event)
        self._link.join(END_SECONDS)
        if self._link.is_alive():
            self._link.give_up(f"W&B did not end within {END_SECONDS:g} s")
        self._record()
        self._link = None

    def _identity(self, event: Started) -> Identity:
        config = self._config
        path = self._folder.path.resolve()
        values: dict[str, Any] = config.model_dump(mode="python", serialize_as_any=True)
        values["run"] = {
            "folder": str(path),
            "num_params": event.num_params,
            "num_steps": event.num_steps,
            "device": event.device,
        }
        return Identity(
            id=self._known_id() or run_id(config, self._folder),
            name=self._name[:128],  # the longest that W&B takes
            group=self._group[:128],
            job_type=self._job_type,
            tags=list(dict.fromkeys([config.model.name, config.data.name, *self._tracker.tags])),
            config=values,
            dir=path.parent if self._group else path,
            history=[row for row in self._folder.metrics() if row["step"] <= event.first_step],
        )

    def _known_id(self) -> str:
        record = self._folder.record() if self._folder.record_path.exists() else {}
        return str(record.get("wandb", {}).get("id", ""))

    def _record(self) -> None:
        """Write to run.json what has changed. Only the run's own thread writes there."""
        assert self._link is not None
        status = self._link.status
        if status != self._recorded:
            self._recorded = status
            try:
                self._folder.update_record(wandb=dataclasses.asdict(status))
            except OSError as error:
                log.warning("W&B's state could not be written to run.json: %s", error)


def run_id(config: Config, folder: RunFolder) -> str:
    """The W&B id of a run: the same each time that this config runs in this folder."""
    text = f"{identity(config)} {folder.path.resolve()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
