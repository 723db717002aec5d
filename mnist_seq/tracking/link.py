"""One W&B run, on a thread of its own: training never waits for wandb, nor for the network."""

import contextlib
import json
import logging
import queue
import shutil
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mnist_seq.config.schema import WandB
from mnist_seq.runs.events import Ended, Samples
from mnist_seq.tracking import library, mode

INIT_SECONDS = 10.0  # until a server must have taken a new run
FINISH_SECONDS = 30.0  # until it must have taken everything; the rest stays on disk for a sync

State = Literal["running", "synced", "offline", "partial"]
Row = dict[str, Any]

log = logging.getLogger("mnist_seq.tracking")


@dataclass(frozen=True)
class Identity:
    """What a run is called in W&B, and what it starts with."""

    id: str
    name: str
    group: str
    job_type: str
    tags: list[str]
    config: dict[str, Any]
    dir: Path  # wandb makes its folder `wandb` in here
    history: list[Row]  # rows from before this process took the run up; empty for a new run


@dataclass(frozen=True)
class Status:
    """Where the mirror stands, as run.json records it."""

    id: str
    mode: str
    url: str
    state: State
    project: str
    entity: str
    reason: str = ""


class Link(threading.Thread):
    """Brings the rows and the end of one run to W&B.

    `status` is replaced, never changed, so that the run's own thread may read it at any time.
    """

    def __init__(self, tracker: WandB, identity: Identity) -> None:
        super().__init__(name=f"wandb-{identity.id}", daemon=True)
        self.status = Status(
            identity.id, tracker.mode, "", "running", tracker.project, tracker.entity
        )
        self._tracker = tracker
        self._identity = identity
        self._inbox: queue.SimpleQueue[Row | Ended] = queue.SimpleQueue()

    def send(self, message: Row | Ended) -> None:
        """Pass on one row, or the end. Returns at once."""
        if self.is_alive():
            self._inbox.put(message)

    def give_up(self, reason: str) -> None:
        """Say once that W&B lacks something, and go on without it."""
        if self.status.state != "partial":
            log.warning("W&B has only part of this run, and training goes on: %s", reason)
            self.status = replace(self.status, state="partial", reason=reason)

    def run(self) -> None:
        """Mirror the run, from its start to its end."""
        try:
            run, num_present = self._open()
            for row in self._identity.history[num_present:]:
                _log_row(run, row)
            num_repeated = max(0, num_present - len(self._identity.history))
            while not isinstance(message := self._inbox.get(), Ended):
                if num_repeated > 0:
                    num_repeated -= 1
                else:
                    _log_row(run, message)
            self._finish(run, message)
        except Exception as error:  # wandb fails in many ways, and none of them is the run's
            self.give_up(library.reason(error))

    def _open(self) -> tuple[Any, int]:
        """The W&B run, and how many of the rows it has already."""
        choice, is_new = mode.settle(self._tracker)
        if is_new:
            log.info(choice.notice)
        if choice.mode == "online":
            try:
                if not library.has_credentials(verify=False):
                    raise PermissionError("no credentials; run `wandb login` or set WANDB_API_KEY")
                run = self._init("online")
            except Exception as error:
                mode.remember_failure()
                log.warning(
                    "W&B cannot be reached, so this run and the next ones are mirrored offline: %s",
                    library.reason(error),
                )
                self.status = replace(self.status, reason=library.reason(error))
                library.restart()
            else:
                # One of W&B's own steps a row. Its summary may run ahead of its history
                return run, run.starting_step if run.resumed else 0
        try:
            run = self._init("offline")
        except Exception as error:  # its service may have died since the last run
            log.debug("W&B is started again: %s", library.reason(error))
            library.restart()
            run = self._init("offline")
        self._remove_older_files(Path(run.dir).parent)
        return run, 0

    def _remove_older_files(self, new: Path) -> None:
        """Remove offline files of this id that the new one replaces, being complete.

        `wandb sync` would append the one to the other. A file that has been synced stays.
        """
        for old in new.parent.glob(f"offline-run-*-{self._identity.id}"):
            if old != new and not any(old.glob("*.synced")):
                shutil.rmtree(old)

    def _init(self, mode: Literal["online", "offline"]) -> Any:
        """Open the W&B run. Online it goes on from what W&B has; an offline file is complete."""
        identity = self._identity
        run = library.load().init(
            project=self._tracker.project,
            entity=None if self._tracker.entity == "default" else self._tracker.entity,
            group=identity.group or None,
            job_type=identity.job_type,
            id=identity.id,
            name=identity.name,
            tags=identity.tags,
            config=identity.config,
            dir=str(identity.dir),
            mode=mode,
            resume="allow" if mode == "online" else None,
            # Never touches another run: neither one left open, nor a parent process's
            reinit="create_new",
            settings={
                "console": "off",
                "silent": True,
                "symlink": False,
                "disable_code": True,
                "disable_git": True,  # run.json has the commit
                "x_save_requirements": False,  # takes 4 times as long as all the rest
                "x_transaction_log_flush_interval": 1.0,  # a killed run loses 1 s, not all
                "init_timeout": INIT_SECONDS,
                "finish_timeout": FINISH_SECONDS,
                "finish_timeout_raises": True,
            },
        )
        run.define_metric("step")
        run.define_metric("*", step_metric="step")
        self.status = replace(
            self.status,
            id=run.id,
            mode=mode,
            url=run.url or "",
            project=run.project,
            entity=run.entity or self._tracker.entity,
        )
        return run

    def _finish(self, run: Any, event: Ended) -> None:
        best = {f"best/{key.removeprefix('best/')}": value for key, value in event.best.items()}
        summary: dict[str, Any] = {
            **event.metrics,
            **best,
            "seconds": event.seconds,
            "state": event.state,
        }
        if event.reason:
            summary["reason"] = event.reason
        summary["num_params"] = self._identity.config["run"]["num_params"]
        run.summary.update(summary)
        if event.samples is not None:
            run.summary.update({"samples": _table(event.samples)})
        try:
            run.finish(exit_code=event.exit_code)
        except TimeoutError:
            mode.remember_failure()
            raise TimeoutError(
                f"the server did not take it within {FINISH_SECONDS:g} s; it lies in {run.dir}"
            ) from None
        if fault := _fault_in(Path(run.settings.log_internal)):
            self.give_up(fault)
        else:
            done: State = "synced" if self.status.mode == "online" else "offline"
            self.status = replace(self.status, state=done)


def _log_row(run: Any, row: Row) -> None:
    run.log({key: value for key, value in row.items() if value is not None})


def _table(samples: Samples) -> Any:
    wandb = library.load()
    rows = zip(samples.images, samples.labels, samples.predictions, strict=True)
    return wandb.Table(
        columns=["image", "label", "prediction"],
        data=[[wandb.Image(image), int(label), int(guess)] for image, label, guess in rows],
    )


def _fault_in(log_path: Path) -> str:
    """The last error that wandb's service met, or "".

    finish() returns normally where the server refused the data (403) or the disk was full; only
    this log tells. What a retry mended is no error there.
    """
    found = ""
    with contextlib.suppress(FileNotFoundError), log_path.open(errors="replace") as lines:
        for line in lines:
            if '"level":"ERROR' in line:  # ERROR+4 is fatal
                with contextlib.suppress(ValueError):
                    record = json.loads(line)
                    found = f"{record.get('msg', '')} {record.get('error', '')}"
    return library.reason(RuntimeError(found)) if found else ""
