"""One run in W&B, as the wandb package sees it: opened, given its rows and its end."""

import contextlib
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from mnist_seq.runs.events import Ended, Samples
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking.wandb import library, offline_file, source
from mnist_seq.tracking.wandb.source import Identity, Tracker

INIT_SECONDS = 15.0  # until a server must have taken a new run
FLUSH_SECONDS = 3.0  # until an offline file is whole: finish() does not wait for its last bytes

_CHART, _TABLE = "test/confusion", "test/confusion_table"  # as wandb names a chart's values

Row = dict[str, Any]


class RemoteRun:
    """An open run of W&B's.

    The last row is kept open, for the charts of the end go into it: each row of the history is an
    evaluation, and the server has as many rows as metrics.jsonl has lines.

    Args:
        mode: online it goes on from what W&B has; an offline file begins anew, and is complete.
        is_live: it is being trained, on this machine, whose load is then worth a look.
        num_there: rows that the server has, where it was asked; else as many as W&B's own number of
            the next row, which it takes from the summary, says.

    Attributes:
        num_sent: rows that it holds, the one that is kept open included.

    Raises:
        Exception: wandb fails in many ways.
    """

    def __init__(
        self,
        tracker: Tracker,
        identity: Identity,
        mode: Literal["online", "offline"],
        *,
        is_live: bool = True,
        num_there: int | None = None,
    ) -> None:
        self._tracker, self._identity = tracker, identity
        _check_writable(identity.home / "wandb")
        self.wandb = library.load()
        self.run: Any = self.wandb.init(
            project=tracker.project,
            entity=None if tracker.entity == "default" else tracker.entity,
            group=identity.group or None,
            job_type=identity.job_type,
            id=identity.id,
            name=identity.name,
            tags=identity.tags,
            config=identity.config,
            dir=str(identity.home),
            mode=mode,
            resume="allow" if mode == "online" else None,
            reinit="create_new",  # never touches another run that is open
            settings=_settings(tracker, is_live=is_live),
        )
        next_number: int = self.run.starting_step if self.run.resumed else 0
        self.num_sent = next_number if num_there is None else num_there
        self._first, self._shift = self.num_sent, next_number - self.num_sent
        self._fault = ""
        self.run.define_metric("step")
        # step_sync=False: else wandb adds "step": 0 to a row of charts that a resumed run ends with
        self.run.define_metric("*", step_metric="step", step_sync=False)
        self.path = Path(self.run.dir).parent
        if mode == "offline":
            self._remove_older_files()

    def send(self, rows: Sequence[Row]) -> None:
        """Pass on the rows that W&B lacks.

        Args:
            rows: all rows of the run so far.
        """
        for number in range(self.num_sent, len(rows)):
            self._log(rows[number], number)
        self.num_sent = max(self.num_sent, len(rows))

    def finish(self, folder: RunFolder, end: Ended) -> None:
        """Tell W&B how the run ended.

        Raises:
            TimeoutError: the server did not take it in time; it lies on the disk.
        """
        charts: dict[str, Any] = {}
        with self._faults_noted():
            charts = self._charts(folder)
        if self.num_sent > self._first:
            # Closes the last row, whose values would else take the place of the summary's
            self._log(charts, self.num_sent - 1, commit=True)
        elif charts and self.run.summary.get(_TABLE) is not None:  # an earlier end has a row
            with self._faults_noted():
                self.run.summary.update({_TABLE: charts[_CHART].table})
        elif charts:
            self._log(charts, self._first, commit=True)
        self.run.summary.update(source.summary(folder, end))
        with self._faults_noted():
            if (samples := source.samples(folder)) is not None:
                self.run.summary.update({"samples": self._table(samples)})
        with self._faults_noted():
            if folder.predictions_path.exists():
                self._send_predictions(folder)
        with self._faults_noted():
            if self._tracker.artifact and end.state == "finished":
                self._send_model(folder, end)
        try:
            self.run.finish(exit_code=end.exit_code)
        except TimeoutError:
            raise TimeoutError(
                f"the server did not take it within {self._tracker.finish:g} s (tracker.finish)"
            ) from None

    def fault(self, mode: str) -> str:
        """Why some of a finished run is nowhere, which wandb does not say; "" where all is well."""
        if self._fault:
            return self._fault
        if mode == "online":
            return library.fault_in(Path(self.run.settings.log_internal))
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
        """A row with a number stays open until the next one, or until it is told."""
        self.run.log(values, step=number + self._shift, commit=commit)

    @contextlib.contextmanager
    def _faults_noted(self) -> Iterator[None]:
        """The run is to end in order, even where a picture or its model could not be sent."""
        try:
            yield
        except Exception as error:
            self._fault = library.reason(error)

    def _remove_older_files(self) -> None:
        """Remove offline files of this id that the new one replaces, being complete.

        `wandb sync` would append the one to the other. A file that has been synced stays.
        """
        for old in self.path.parent.glob(f"offline-run-*-{self._identity.id}"):
            if old != self.path and not any(old.glob("*.synced")):
                shutil.rmtree(old)

    def _charts(self, folder: RunFolder) -> dict[str, Any]:
        if (found := source.predictions(folder)) is None:
            return {}
        labels, guesses = found
        chart = self.wandb.plot.confusion_matrix(
            y_true=labels.tolist(),
            preds=guesses.tolist(),
            class_names=[str(i) for i in range(max(*labels.tolist(), *guesses.tolist(), 9) + 1)],
            title="confusion on test",
        )
        return {_CHART: chart}

    def _table(self, samples: Samples) -> Any:
        found = zip(samples.images, samples.labels, samples.predictions, strict=True)
        return self.wandb.Table(
            columns=["image", "label", "prediction"],
            data=[[self.wandb.Image(image), int(a), int(b)] for image, a, b in found],
        )

    def _send_predictions(self, folder: RunFolder) -> None:
        """As a file of the run: a pulled run can then be compared example by example."""
        copy = Path(self.run.dir) / folder.predictions_path.name
        shutil.copyfile(folder.predictions_path, copy)  # wandb's link would break where runs move
        self.run.save(str(copy), base_path=self.run.dir, policy="end")

    def _send_model(self, folder: RunFolder, end: Ended) -> None:
        artifact = self.wandb.Artifact(
            f"model-{self._identity.id}", type="model", metadata=dict(end.metrics)
        )
        artifact.add_file(str(folder.model_path), name="model.pt")
        self.run.log_artifact(artifact)


def _settings(tracker: Tracker, *, is_live: bool) -> dict[str, Any]:
    return {
        "console": "off",
        "silent": True,
        "symlink": False,
        "disable_code": True,
        "disable_git": True,  # run.json has the commit
        "x_disable_stats": not is_live,
        "x_disable_machine_info": not is_live,  # run.json has the machine that trained it
        "x_save_requirements": False,  # takes 4 times as long as all the rest
        "x_transaction_log_flush_interval": 1.0,  # a killed process loses 1 s, not all
        "init_timeout": INIT_SECONDS,
        "finish_timeout": tracker.finish,
        "finish_timeout_raises": True,
    }


def _check_writable(folder: Path) -> None:
    """Refuse a folder that wandb would silently replace by one in /tmp.

    Raises:
        OSError: nothing can be written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trial = folder / f".{uuid.uuid4().hex}"
    trial.write_bytes(b"")
    trial.unlink()
