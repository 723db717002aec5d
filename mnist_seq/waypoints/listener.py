"""Says while a run trains whether it is within what the seeds of its stored curve gave."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from mnist_seq.config import Config, plain
from mnist_seq.published.stored import Stored
from mnist_seq.runs.console import say
from mnist_seq.runs.events import BY_ACCURACY, Ended, Listener, Row, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.waypoints.judge import Place, Standing, line, standing
from mnist_seq.waypoints.of_folder import stored_for


def open_waypoints(
    config: Config, folder: RunFolder, fingerprint: str, console: Console
) -> list[Listener]:
    """A listener for a run that has a stored curve; none for all others."""
    stored = stored_for(plain(config), fingerprint)
    return [] if stored is None else [Waypoints(stored, folder, console, seed=config.seed)]


class Waypoints(Listener):
    """One line at the first shared update, where the place changes, and at the last one."""

    name = "waypoints"

    def __init__(self, stored: Stored, folder: RunFolder, console: Console, *, seed: int) -> None:
        self._stored, self._folder, self._seed = stored, folder, seed
        self._console, self._judged = console, BY_ACCURACY
        self._record: Mapping[str, Any] = {}
        self._rows: list[Mapping[str, Any]] = []
        self._said: Place | None = None
        self._last, self._num_steps = 0, 0  # update of the last line; of the run's end

    def started(self, event: Started) -> None:
        """A run that resumes says nothing anew of what it had reached."""
        self._judged, self._num_steps = event.judged, event.num_steps
        self._record = self._folder.record()
        self._rows = list(self._folder.metrics()) if event.first_step else []
        if found := self._standing():
            self._said, self._last = found.place, found.points[-1].update

    def evaluated(self, row: Row) -> None:
        """Say it where this update is the first, the last, or changes the place."""
        updates = self._stored.curve.updates
        if row["step"] not in updates:
            return
        self._rows.append(row)
        found = self._standing()
        if found is None or found.points[-1].update != row["step"]:
            return
        is_last = row["step"] in (updates[-1], self._num_steps)
        if is_last or found.place != self._said:
            self._say(found)

    def ended(self, event: Ended) -> None:
        """The last point of a run that stopped early."""
        found = self._standing() if event.state == "finished" else None
        if found is not None and found.points[-1].update != self._last:
            self._say(found)

    def _standing(self) -> Standing | None:
        return standing(self._stored, self._record, self._rows, self._judged)

    def _say(self, found: Standing) -> None:
        self._said, self._last = found.place, found.points[-1].update
        say(self._console, line(found, self._judged, seed=self._seed))
