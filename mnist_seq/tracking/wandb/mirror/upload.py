"""Uploads one run to W&B, on a thread of its own in the mirror process."""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from mnist_seq.runs.events import Ended
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb import mode, package
from mnist_seq.tracking.wandb.mirror.priority import lower_priority
from mnist_seq.tracking.wandb.run import contents, offline_file, status
from mnist_seq.tracking.wandb.run.contents import Identity
from mnist_seq.tracking.wandb.run.remote_run import RemoteRun
from mnist_seq.tracking.wandb.run.status import Status
from mnist_seq.tracking.wandb.settings import Settings

log = logging.getLogger("mnist_seq.tracking")
# Runs open one at a time: when the first one finds no server, the others need not try
_opening = threading.Lock()
_open_runs: set[str] = set()
_NO_CREDENTIALS = "no W&B credentials: run `wandb login` or set WANDB_API_KEY"


class Upload(threading.Thread):
    """Uploads the rows and the end of one run, which it reads from the run's folder.

    Args:
        done: called once, with the last status.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: Settings,
        identity: Identity,
        done: Callable[[RunFolder, Status], None],
    ) -> None:
        super().__init__(name=f"wandb-{identity.id}", daemon=True)
        self.folder = folder
        self.status = Status(
            identity.id,
            settings.mode,
            "",
            "running",
            settings.project,
            settings.entity,
            identity.tags,
        )
        self._settings, self._identity, self._done = settings, identity, done
        self._inbox: queue.SimpleQueue[Ended | None] = queue.SimpleQueue()

    def wake(self) -> None:
        """Upload new rows. Returns at once."""
        self._inbox.put(None)

    def end(self, event: Ended) -> None:
        """Upload the end of the run. Returns at once."""
        self._inbox.put(event)

    def run(self) -> None:
        """Upload the run, from its start to its end."""
        self._set()
        try:
            self._upload()
        except Exception as error:  # wandb raises many types, and none may reach the other runs
            if isinstance(error, TimeoutError):
                mode.remember_failure(package.reason(error))
            self._give_up(package.reason(error))
        _open_runs.discard(self._identity.id)
        self._done(self.folder, self.status)

    def _upload(self) -> None:
        lower_priority()
        with _opening:
            remote = self._opened()
            lower_priority()  # now for the service that wandb started
            _open_runs.add(self._identity.id)
        message = None
        while message is None:
            remote.send(contents.rows(self.folder))
            message = self._inbox.get()
        remote.send(contents.rows(self.folder))
        remote.finish(self.folder, contents.ending(self.folder, message))
        if fault := remote.fault(self.status.mode):
            self._give_up(fault)
        elif self.status.mode == "online":
            self._set(state="synced")
            offline_file.mark_synced(self._identity.home, self._identity.id)
        else:
            self._set(state="offline")

    def _opened(self) -> RemoteRun:
        """Open the run in W&B, online if that works, else offline."""
        choice, is_new = mode.current_choice(self._settings)
        if is_new:
            log.info(choice.notice)
        if choice.mode == "online":
            try:
                if package.has_credentials(verify=False):
                    return self._opened_as("online")
                mode.remember_failure(_NO_CREDENTIALS)
                log.warning("this run and the next ones are mirrored offline: %s", _NO_CREDENTIALS)
            except OSError:  # the folder cannot be written to, which going offline does not mend
                raise
            except Exception as error:
                mode.remember_failure(package.reason(error))
                log.warning(
                    "W&B cannot be reached, so this run and the next ones are mirrored offline: %s",
                    package.reason(error),
                )
                self._restart(error)
        self._set(reason=mode.failure())
        try:
            return self._opened_as("offline")
        except OSError:
            raise
        except Exception as error:  # wandb's service may have died since the last run
            self._restart(error)
            return self._opened_as("offline")

    def _opened_as(self, how: Literal["online", "offline"]) -> RemoteRun:
        remote = RemoteRun(self._settings, self._identity, how)
        run = remote.run
        entity = run.entity or self._settings.entity
        self._set(id=run.id, mode=how, url=run.url or "", project=run.project, entity=entity)
        return remote

    def _restart(self, error: Exception) -> None:
        """Restart W&B's service, which keeps the id of a run that failed to open.

        Raises:
            Exception: `error`, where other runs are open; a restart would end them.
        """
        if _open_runs:
            raise error
        log.debug("W&B's service is restarted: %s", package.reason(error))
        package.restart(is_offline=True)

    def _give_up(self, reason: str) -> None:
        log.warning(
            "W&B has only part of %s, and training goes on: %s", self._identity.name, reason
        )
        self._set(state="partial", reason=reason)

    def _set(self, **values: str) -> None:
        """Change the status, in this object and in run.json."""
        self.status = replace(self.status, **values)  # type: ignore[arg-type]
        try:
            status.record(self.folder, self.status)
        except (OSError, ValueError) as error:
            log.warning("W&B's state could not be written to run.json: %s", error)
