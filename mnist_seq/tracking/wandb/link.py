"""One run on its way to W&B, on a thread of its own in the mirror's process."""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from mnist_seq.runs.events import Ended
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb import library, mode, offline_file, source, status
from mnist_seq.tracking.wandb.priority import give_way
from mnist_seq.tracking.wandb.remote_run import RemoteRun
from mnist_seq.tracking.wandb.source import Identity, Tracker
from mnist_seq.tracking.wandb.status import Status

log = logging.getLogger("mnist_seq.tracking")
_opening = (
    threading.Lock()
)  # held while a run opens: the first one to find no server tells the others
_open_runs: set[str] = set()
_NO_CREDENTIALS = "no W&B credentials: run `wandb login` or set WANDB_API_KEY"


class Link(threading.Thread):
    """Brings the rows and the end of one run to W&B, reading them from its folder.

    Args:
        done: told of the last status, once.
    """

    def __init__(
        self,
        folder: RunFolder,
        tracker: Tracker,
        identity: Identity,
        done: Callable[[RunFolder, Status], None],
    ) -> None:
        super().__init__(name=f"wandb-{identity.id}", daemon=True)
        self.folder = folder
        self.status = Status(
            identity.id, tracker.mode, "", "running", tracker.project, tracker.entity, identity.tags
        )
        self._tracker, self._identity, self._done = tracker, identity, done
        self._inbox: queue.SimpleQueue[Ended | None] = queue.SimpleQueue()

    def look(self) -> None:
        """The folder holds more than before. Returns at once."""
        self._inbox.put(None)

    def end(self, said: Ended) -> None:
        """The run has ended. Returns at once."""
        self._inbox.put(said)

    def run(self) -> None:
        """Mirror the run, from its start to its end."""
        self._set()
        try:
            self._mirror()
        except Exception as error:  # wandb fails in many ways, and none of them is the run's
            if isinstance(error, TimeoutError):
                mode.remember_failure(library.reason(error))
            self._give_up(library.reason(error))
        _open_runs.discard(self._identity.id)
        self._done(self.folder, self.status)

    def _mirror(self) -> None:
        give_way()
        with _opening:
            remote = self._open()
            give_way()  # what wandb has started is to do so too
            _open_runs.add(self._identity.id)
        message = None
        while message is None:
            remote.send(source.rows(self.folder))
            message = self._inbox.get()
        remote.send(source.rows(self.folder))
        remote.finish(self.folder, source.ending(self.folder, message))
        if fault := remote.fault(self.status.mode):
            self._give_up(fault)
        elif self.status.mode == "online":
            self._set(state="synced")
            offline_file.mark_synced(self._identity.home, self._identity.id)
        else:
            self._set(state="offline")

    def _open(self) -> RemoteRun:
        choice, is_new = mode.settle(self._tracker)
        if is_new:
            log.info(choice.notice)
        if choice.mode == "online":
            try:
                if library.has_credentials(verify=False):
                    return self._opened("online")
                mode.remember_failure(_NO_CREDENTIALS)
                log.warning("this run and the next ones are mirrored offline: %s", _NO_CREDENTIALS)
            except OSError:  # the folder's fault, which going offline does not mend
                raise
            except Exception as error:
                mode.remember_failure(library.reason(error))
                log.warning(
                    "W&B cannot be reached, so this run and the next ones are mirrored offline: %s",
                    library.reason(error),
                )
                self._restart(error)
        self._set(reason=mode.failure())  # the same for all runs that it has led offline
        try:
            return self._opened("offline")
        except OSError:
            raise
        except Exception as error:  # its service may have died since the last run
            self._restart(error)
            return self._opened("offline")

    def _opened(self, how: Literal["online", "offline"]) -> RemoteRun:
        remote = RemoteRun(self._tracker, self._identity, how)
        run = remote.run
        entity = run.entity or self._tracker.entity
        self._set(id=run.id, mode=how, url=run.url or "", project=run.project, entity=entity)
        return remote

    def _restart(self, error: Exception) -> None:
        """Start W&B's service anew: until then, the id of a run that failed to open is in use.

        Raises:
            Exception: the same, where other runs are open, which a restart would end.
        """
        if _open_runs:
            raise error
        log.debug("W&B is started again: %s", library.reason(error))
        library.restart(is_offline=True)

    def _give_up(self, reason: str) -> None:
        log.warning(
            "W&B has only part of %s, and training goes on: %s", self._identity.name, reason
        )
        self._set(state="partial", reason=reason)

    def _set(self, **values: str) -> None:
        """Change the status, here and in run.json."""
        self.status = replace(self.status, **values)  # type: ignore[arg-type]
        try:
            status.record(self.folder, self.status)
        except (OSError, ValueError) as error:
            log.warning("W&B's state could not be written to run.json: %s", error)
