"""The run folder: the only code that knows its paths.

.hydra/           what was asked
run.json          identity and provenance
metrics.jsonl     one line an evaluation
checkpoint.pt     everything that a resume needs
best.pt           weights of the best evaluation on valid
model.pt          weights that the test was read with
predictions.npz   label and prediction of every test example
result.json       written last: the run is finished or diverged
error.txt         instead of it: the run failed
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, UInt8

from mnist_seq.runs import files

FolderState = Literal["absent", "interrupted", "failed", "finished", "diverged"]


class RunFolder:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record_path = path / "run.json"
        self.metrics_path = path / "metrics.jsonl"
        self.checkpoint_path = path / "checkpoint.pt"
        self.best_path = path / "best.pt"
        self.model_path = path / "model.pt"
        self.predictions_path = path / "predictions.npz"
        self.result_path = path / "result.json"
        self.error_path = path / "error.txt"

    def state(self) -> FolderState:
        """What became of the run so far; "absent" where no run has begun here.

        Raises:
            ValueError: result.json is damaged.
        """
        with contextlib.suppress(FileNotFoundError):
            state = self.result().get("state")
            if state not in ("finished", "diverged"):
                raise ValueError(f"{self.result_path} must say finished or diverged: state={state}")
            return "finished" if state == "finished" else "diverged"
        if self.error_path.exists():
            return "failed"
        return "interrupted" if self.has_begun() else "absent"

    def has_begun(self) -> bool:
        """Whether anything lies here that a run has written about itself."""
        own = (
            self.record_path,
            self.metrics_path,
            self.checkpoint_path,
            self.best_path,
            self.model_path,
            self.predictions_path,
            self.result_path,
        )
        return any(os.path.lexists(path) for path in own)

    def record(self) -> dict[str, Any]:
        """Identity and provenance: see `provenance.describe`."""
        return files.read_json(self.record_path)

    def update_record(self, **values: Any) -> None:
        """Add to run.json, or change what stands there; two processes may do so at once."""
        with files.exclusive(self.path):
            record = self.record() if self.record_path.exists() else {}
            files.write_json(self.record_path, {**record, **values})

    def result(self) -> dict[str, Any]:
        """The end of the run: state, metrics, num_params, steps, seconds."""
        return files.read_json(self.result_path)

    def write_result(self, **values: Any) -> None:
        """End the run. Nothing of it may be written after this."""
        files.write_json(self.result_path, values)

    def error(self) -> str:
        """Why the run failed: the traceback, its last line the reason."""
        files.check_regular(self.error_path)
        return self.error_path.read_text(errors="replace")

    def write_error(self, text: str) -> None:
        """Mark the run as failed."""
        text = text.encode(errors="backslashreplace").decode()  # names outside of the encoding
        files.write_text(self.error_path, text.rstrip() + "\n")

    def clear_error(self) -> None:
        """Forget a failure, to try again."""
        self.error_path.unlink(missing_ok=True)

    def metrics(self) -> list[dict[str, Any]]:
        """All evaluations so far, oldest first."""
        return files.read_lines(self.metrics_path)

    def num_damaged_metrics(self) -> int:
        """Evaluations that cannot be read; the torn last line of a run without a result is none.

        Raises:
            OSError, ValueError: metrics.jsonl or result.json cannot be read at all.
        """
        num, is_torn = files.num_damaged_lines(self.metrics_path)
        return num - (is_torn and self.state() not in ("finished", "diverged"))

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add one evaluation."""
        files.append_line(self.metrics_path, row)

    def clear_unfinished(self) -> None:
        """Remove files that a process which died was writing; for who holds the folder's lock."""
        with files.exclusive(self.path):  # W&B's mirror may be writing run.json
            files.clear_unfinished(self.path)

    def rewind_metrics(self, step: int) -> None:
        """Drop the evaluations after a step, which a resume is about to repeat."""
        if self.metrics_path.exists():
            files.keep_lines(self.metrics_path, lambda row: row.get("step", step + 1) <= step)

    def write_predictions(
        self,
        labels: Int[np.ndarray, " N"],
        predictions: Int[np.ndarray, " N"],
        images: UInt8[np.ndarray, "M 28 28"] | None = None,
    ) -> None:
        """Keep label and prediction of every test example, and pictures of the first few."""
        arrays = {"label": labels.astype(np.uint8), "prediction": predictions.astype(np.uint8)}
        if images is not None:
            arrays["image"] = images
        with files.replaced(self.predictions_path) as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    def predictions(self) -> tuple[Int[np.ndarray, " N"], Int[np.ndarray, " N"]]:
        """Labels and predictions of the test examples, in the data's order.

        Raises:
            OSError, ValueError: predictions.npz is missing or damaged.
        """
        arrays = self.test_arrays()
        return arrays["label"], arrays["prediction"]

    def test_arrays(self) -> dict[str, np.ndarray]:
        """All that predictions.npz holds: "label", "prediction", and "image" of the first few.

        Raises:
            OSError, ValueError: it is missing or damaged.
        """
        files.check_regular(self.predictions_path)
        # opened here, since numpy leaves a file open that turns out to be no archive
        with open(self.predictions_path, "rb") as stream:
            try:
                with np.load(stream, allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
            except Exception as error:  # of many kinds
                raise ValueError(
                    f"{self.predictions_path} must hold a run's predictions: "
                    f"{type(error).__name__}: {error}; remove the file"
                ) from error
        if {"label", "prediction"} - arrays.keys():
            raise ValueError(
                f"{self.predictions_path} must hold label and prediction: found {[*arrays]}"
            )
        return arrays


def find_runs(root: Path) -> Iterator[RunFolder]:
    """Run folders at or below a folder, in the order of their names.

    A sweep's run that was moved and is linked to counts too; one that is there twice, once.
    """
    folders = {record.parent: None for record in root.rglob("run.json")}  # follows no links
    folders |= {record.parent: None for record in root.glob("*/run.json")}
    found: dict[str, Path] = {}
    for folder in folders:
        found.setdefault(os.path.realpath(folder), folder)
    for folder in sorted(found.values()):
        yield RunFolder(folder)
