"""Uploads one run to W&B, on a thread of its own in the mirror process."""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from mnist_seq.runs.events import Ended
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb import mode, package
from mnist_seq.tracking.wandb.mirror import outage
from mnist_seq.tracking.wandb.mirror.priority import lower_priority
from mnist_seq.tracking.wandb.run import contents, offline_file, status
from mnist_seq.tracking.wandb.run.contents import Identity
from mnist_seq.tracking.wandb.run.remote_run import RemoteRun
from mnist_seq.tracking.wandb.run.status import Status
from mnist_seq.tracking.wandb.settings import Settings

log = logging.getLogger("mnist_seq.tracking")
# Runs open one at a time: when the first one finds no server, the others need not try. Who has
# ended says so, since a run may wait for that
_opening = threading.Condition()
_open_runs: set[str] = set()
_NO_CREDENTIALS = "no W&B credentials: run `wandb login` or set WANDB_API_KEY"


class Upload(threading.Thread):
    """Uploads the rows and the end of one run, which it reads from the run's folder.

    Args:
        held: the WANDB_ variables that hold for it.
        done: called once, with the last status.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: Settings,
        identity: Identity,
        held: Mapping[str, str],
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
            variables=dict(held),
        )
        self._settings, self._identity, self._done = settings, identity, done
        self._inbox: queue.SimpleQueue[Ended | None] = queue.SimpleQueue()
        self._has_opened = False

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
                outage.begin(package.reason(error))
            self._give_up(package.reason(error))
        self._done(self.folder, self.status)
        with _opening:
            _open_runs.discard(self._identity.id)
            _opening.notify_all()

    def _upload(self) -> None:
        lower_priority()
        with _opening:
            remote = self._opened()
            lower_priority()  # now for the service that wandb started
            _open_runs.add(self._identity.id)
            self._has_opened = True
        message = None
        while message is None:
            remote.send(contents.rows(self.folder))
            message = self._inbox.get()
        remote.send(contents.rows(self.folder))
        remote.finish(self.folder, contents.ending(self.folder, message))
        if fault := remote.fault(self.status.mode):
            self._give_up(fault)
        elif self.status.mode == "online":
            outage.forget_pauses()
            self._set(state="synced")
            offline_file.mark_synced(self._identity.files, self._identity.id)
        else:
            self._set(state="offline")

    def _opened(self) -> RemoteRun:
        """Open the run in W&B, online if that works, else offline."""
        for _ in range(2):  # while the first failure was repaired, the server may have come back
            choice, is_new = mode.current_choice(self._settings)
            if is_new:
                log.info(choice.notice)
            if not choice.is_final:
                outage.watch()
            if choice.mode == "offline":
                break
            if (remote := self._opened_online()) is not None:
                return remote
        try:
            return self._opened_as("offline")
        except Exception as error:  # wandb's service may have died since the last run
            if _is_of_folder(error):
                raise
            self._restart(error)
            return self._opened_as("offline")

    def _opened_online(self) -> RemoteRun | None:
        """The run, opened online; None where that failed, and the run must go offline."""
        try:
            if package.has_credentials(verify=False):
                return self._opened_as("online")
            mode.remember_failure(_NO_CREDENTIALS)
            log.warning("this run and the next ones are mirrored offline: %s", _NO_CREDENTIALS)
        except Exception as error:
            if _is_of_folder(error):  # going offline does not mend that
                raise
            reason = package.reason(error)
            if outage.begin(reason):
                log.warning(
                    "W&B cannot be reached, so this run and the next ones are mirrored offline "
                    "until it answers: %s",
                    reason,
                )
            self._set(reason=reason)
            self._restart(error)
        return None

    def _opened_as(self, how: Literal["online", "offline"]) -> RemoteRun:
        remote = RemoteRun(self._settings, self._identity, how)
        run = remote.run
        entity = run.entity or self._settings.entity
        reason = mode.failure() if how == "offline" else ""
        self._set(
            id=run.id,
            mode=how,
            url=run.url or "",
            project=run.project,
            entity=entity,
            reason=reason,
        )
        return remote

    def _restart(self, error: Exception) -> None:
        """Restart W&B's service, which keeps the id of a run that failed to open.

        Waits until no other run is open, since a restart would end them. Others may open meanwhile.
        """
        seen = package.num_restarts()
        _opening.wait_for(lambda: not _open_runs or package.num_restarts() != seen)
        if package.num_restarts() == seen:
            log.debug("W&B's service is restarted: %s", package.reason(error))
            package.restart(is_offline=True)

    def _give_up(self, reason: str) -> None:
        amount = "only part" if self._has_opened else "nothing"
        log.warning(
            "W&B has %s of %s, and training goes on: %s", amount, self._identity.name, reason
        )
        self._set(state="partial", reason=reason)

    def _set(self, **values: str) -> None:
        """Change the status, in this object and in run.json."""
        self.status = replace(self.status, **values)  # type: ignore[arg-type]
        try:
            status.record(self.folder, self.status)
        except (OSError, ValueError) as error:
            log.warning("W&B's state could not be written to run.json: %s", error)


def _is_of_folder(error: Exception) -> bool:
    """Whether an error says that the folder cannot be written to."""
    return isinstance(error, OSError) and not isinstance(error, TimeoutError | ConnectionError)
