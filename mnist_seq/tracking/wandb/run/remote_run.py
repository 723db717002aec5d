"""One run in W&B: opens it, sends its rows and its end."""

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from mnist_seq.runs import files
from mnist_seq.runs.disk import limits
from mnist_seq.runs.events import Ended, Samples
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb import package
from mnist_seq.tracking.wandb.run import contents, offline_file
from mnist_seq.tracking.wandb.run.contents import Identity
from mnist_seq.tracking.wandb.settings import Settings

INIT_SECONDS = 15.0  # that the server gets to accept a new run; WANDB_INIT_TIMEOUT says others
FLUSH_SECONDS = 3.0  # until an offline file is complete: finish() does not wait for its last bytes

_CHART, _TABLE = "test/confusion", "test/confusion_table"  # wandb stores a chart's values there

Row = dict[str, Any]


class RemoteRun:
    """An open run in W&B.

    W&B's history has one row for each line of metrics.jsonl. The last row stays open until the end,
    since the charts of the end belong into it.

    Args:
        mode: "online" continues what W&B has of the run; "offline" begins a new, complete file.
        is_live: the run trains now, on this machine; W&B then records the machine's load too.
        num_there: number of rows on the server, where it was asked. Else W&B's own number of the
            next row is taken, which comes from the run's summary.

    Attributes:
        num_sent: number of rows sent, the open one included.

    Raises:
        Exception: of many types, by wandb.
    """

    def __init__(
        self,
        settings: Settings,
        identity: Identity,
        mode: Literal["online", "offline"],
        *,
        is_live: bool = True,
        num_there: int | None = None,
    ) -> None:
        self._settings, self._identity = settings, identity
        _check_writable(identity.files / "wandb")
        self.wandb = package.load()
        self.run: Any = self.wandb.init(
            project=settings.project,
            entity=None if settings.entity == "default" else settings.entity,
            group=identity.group or None,
            job_type=identity.job_type,
            id=identity.id,
            name=identity.name,
            notes=identity.notes or None,
            tags=identity.tags,
            config=identity.config,
            dir=str(identity.files),
            mode=mode,
            resume="allow" if mode == "online" else None,
            reinit="create_new",  # leaves other open runs alone
            settings=_settings(settings, is_live=is_live),
        )
        next_number: int = self.run.starting_step if self.run.resumed else 0
        self.num_sent = next_number if num_there is None else num_there
        self._first, self._shift = self.num_sent, next_number - self.num_sent
        self._fault = ""
        self.run.define_metric("step")
        # step_sync=False: otherwise wandb adds "step": 0 to the row of charts of a resumed run
        self.run.define_metric("*", step_metric="step", step_sync=False)
        self.path = Path(self.run.dir).parent
        if mode == "offline":
            self._remove_older_files()

    def send(self, rows: Sequence[Row]) -> None:
        """Send the rows that W&B lacks.

        Args:
            rows: all rows of the run so far.
        """
        for number in range(self.num_sent, len(rows)):
            self._log(rows[number], number)
        self.num_sent = max(self.num_sent, len(rows))

    def finish(self, folder: RunFolder, end: Ended) -> None:
        """Send the end of the run: charts, summary, files, state.

        Raises:
            TimeoutError: the server did not accept it in time; it is on the disk.
        """
        charts: dict[str, Any] = {}
        with self._noting_faults():
            charts = self._charts(folder)
        if self.num_sent > self._first:
            # Closes the last row, whose values would otherwise overwrite the summary's
            self._log(charts, self.num_sent - 1, commit=True)
        elif charts and self.run.summary.get(_TABLE) is not None:  # an earlier end sent its row
            with self._noting_faults():
                self.run.summary.update({_TABLE: charts[_CHART].table})
        elif charts:
            self._log(charts, self._first, commit=True)
        self.run.summary.update(contents.summary(folder, end))
        with self._noting_faults():
            if (samples := contents.samples(folder)) is not None:
                self.run.summary.update({"samples": self._table(samples)})
        with self._noting_faults():
            if folder.predictions_path.exists():
                self._send_file(folder.predictions_path)
            if self._identity.group and (plan := self._identity.home / contents.PLAN).exists():
                self._send_file(plan)
        with self._noting_faults():
            if self._settings.artifact and end.state == "finished":
                self._send_model(folder, end)
        try:
            self.run.finish(exit_code=end.exit_code)
        except TimeoutError:
            raise TimeoutError(
                f"the server did not take it within {self._settings.finish:g} s (tracker.finish)"
            ) from None

    def fault(self, mode: str) -> str:
        """Why a part of the ended run was lost, which wandb does not report; "" where none was."""
        if self._fault:
            return self._fault
        if mode == "online":
            return package.fault_in(Path(self.run.settings.log_internal))
        deadline = time.monotonic() + FLUSH_SECONDS
        file = self.path / f"run-{self._identity.id}.wandb"
        while not offline_file.is_whole(file, num_rows=self.num_sent):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return ""
        return f"{self.path} is cut off; is the disk full?"

    def _log(self, values: Row, number: int, *, commit: bool = False) -> None:
        """Log a row. It stays open until a row with another number comes, or with commit=True."""
        self.run.log(values, step=number + self._shift, commit=commit)

    @contextlib.contextmanager
    def _noting_faults(self) -> Iterator[None]:
        """Let the run end in order where a picture or the model could not be sent."""
        try:
            yield
        except Exception as error:
            self._fault = package.reason(error)

    def _remove_older_files(self) -> None:
        """Remove older offline files of this id: the new one is complete.

        `wandb sync` would send both, one after the other. A synced file stays.
        """
        for old in self.path.parent.glob(f"offline-run-*-{self._identity.id}"):
            if old != self.path and not any(old.glob("*.synced")):
                shutil.rmtree(old)

    def _charts(self, folder: RunFolder) -> dict[str, Any]:
        if (found := contents.classes_on_test(folder)) is None:
            return {}
        labels, predictions, num_classes = found
        chart = self.wandb.plot.confusion_matrix(
            y_true=labels.tolist(),
            preds=predictions.tolist(),
            class_names=[str(number) for number in range(num_classes)],
            title="confusion on test",
        )
        return {_CHART: chart}

    def _table(self, samples: Samples) -> Any:
        found = zip(samples.images, samples.labels, samples.predictions, strict=True)
        return self.wandb.Table(
            columns=["image", "label", "prediction"],
            data=[[self.wandb.Image(image), a.tolist(), b.tolist()] for image, a, b in found],
        )

    def _send_file(self, path: Path) -> None:
        """Send a file that pulled runs are compared with: their predictions, the sweep's plan."""
        with limits.opened(path):  # refuses what no run writes
            copy = Path(self.run.dir) / path.name
        # A copy: wandb's link would break when the run folder moves
        shutil.copyfile(path, copy)
        self.run.save(str(copy), base_path=self.run.dir, policy="end")

    def _send_model(self, folder: RunFolder, end: Ended) -> None:
        artifact = self.wandb.Artifact(
            f"model-{self._identity.id}", type="model", metadata=dict(end.metrics)
        )
        artifact.add_file(str(folder.model_path), name="model.pt")
        self.run.log_artifact(artifact)


def _settings(settings: Settings, *, is_live: bool) -> dict[str, Any]:
    return {
        "console": "off",
        "silent": True,
        "symlink": False,
        "disable_code": True,
        "disable_git": True,  # run.json has the commit
        "x_disable_stats": not is_live,
        "x_disable_machine_info": not is_live,  # run.json has the machine that trained it
        "x_save_requirements": False,  # takes 4 times as long as the rest of the start
        "x_transaction_log_flush_interval": 1.0,  # a killed process loses 1 s, not all
        "init_timeout": _init_seconds(),
        "finish_timeout": settings.finish,
        "finish_timeout_raises": True,
    }


def _init_seconds() -> float:
    with contextlib.suppress(KeyError, ValueError):
        return float(os.environ["WANDB_INIT_TIMEOUT"])
    return INIT_SECONDS


def _check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written to; wandb would silently use one in /tmp.

    Raises:
        OSError: nothing can be written there.
    """
    files.make_folder(folder.parent, folder.name)
    trial = folder / f".{uuid.uuid4().hex}"
    os.close(files.open_append(trial))
    trial.unlink()
