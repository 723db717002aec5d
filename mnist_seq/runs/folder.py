"""Reads and writes a run folder. No other code knows the names of its files.

.hydra/           the config and the overrides, as Hydra writes them
run.json          identity and provenance
metrics.jsonl     one line per evaluation
checkpoint.pt     everything that a resume needs
best.pt           weights of the best evaluation on valid
best-step*.pt     of the training.keep_best best ones; the name has the step and the value
model.pt          weights that were tested
predictions.npz   label and prediction of every test example
result.json       written last: the run is finished or diverged
error.txt         in place of result.json: the run failed
"""

import contextlib
import os
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int, UInt8

from mnist_seq.runs import files
from mnist_seq.runs.disk import limits, parsing, records
from mnist_seq.runs.events import BY_ACCURACY, Judged

FolderState = Literal["absent", "interrupted", "failed", "finished", "diverged"]

_KEPT = re.compile(r"best-step(\d{1,12})-[^/]+\.pt")


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
        """How far the run has come; "absent" if no run has begun in this folder.

        Raises:
            ValueError: result.json is damaged.
        """
        with contextlib.suppress(FileNotFoundError):
            return "finished" if self.result()["state"] == "finished" else "diverged"
        if self.error_path.exists():
            return "failed"
        return "interrupted" if self.has_begun() else "absent"

    def has_begun(self) -> bool:
        """Whether the folder holds any file that a run writes."""
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
        """Identity and provenance: see `provenance.describe`.

        Raises:
            ValueError: run.json is damaged, or not what a run writes.
        """
        return _read(self.record_path, records.check_record)

    def update_record(self, **values: Any) -> None:
        """Add or change keys of run.json. Two processes may do so at once."""
        with files.exclusive(self.path):
            record = files.read_json(self.record_path) if self.record_path.exists() else {}
            files.write_json(self.record_path, {**record, **values})

    def result(self) -> dict[str, Any]:
        """What result.json says: state, metrics, num_params and other counts, steps, seconds.

        Raises:
            ValueError: result.json is damaged, or not what a run writes.
        """
        return _read(self.result_path, records.check_result)

    def write_result(self, **values: Any) -> None:
        """Write result.json, which ends the run: no file is written after it."""
        files.write_json(self.result_path, values)

    def error(self) -> str:
        """The traceback of a failed run; its last line is the reason. Of a huge file, its end."""
        return limits.read_end(self.error_path).decode(errors="replace")

    def write_error(self, text: str) -> None:
        """Mark the run as failed."""
        text = text.encode(errors="backslashreplace").decode()  # characters that cannot be encoded
        files.write_text(self.error_path, text.rstrip() + "\n")

    def clear_error(self) -> None:
        """Remove error.txt before another try."""
        self.error_path.unlink(missing_ok=True)

    def judged(self) -> Judged:
        """By which metrics the run is judged: `task` of run.json, accuracy in older records."""
        return records.judged(self.record().get("task", BY_ACCURACY))

    def metrics(self) -> list[dict[str, Any]]:
        """All evaluations so far, oldest first.

        Raises:
            OSError, ValueError: metrics.jsonl cannot be read, or is too large.
        """
        return self.metric_lines().rows

    def metric_lines(self, start: int = 0) -> files.Lines:
        """Evaluations from a byte on, and how many lines are damaged; raises as `metrics`."""
        return files.lines(self.metrics_path, records.is_evaluation, start)

    def num_damaged_metrics(self) -> int:
        """Evaluations that cannot be read. A torn last line counts only once the run has ended.

        Raises:
            OSError, ValueError: metrics.jsonl or result.json cannot be read at all.
        """
        lines = self.metric_lines()
        return lines.num_damaged - (lines.is_torn and self.state() not in ("finished", "diverged"))

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add one evaluation."""
        files.append_line(self.metrics_path, row)

    def clear_unfinished(self) -> None:
        """Remove temporary files of a process that died. The caller has locked the folder."""
        with files.exclusive(self.path):  # W&B's mirror may be writing run.json
            files.clear_unfinished(self.path)

    def rewind_metrics(self, step: int) -> None:
        """Remove evaluations after a step: a resume will repeat them."""
        if self.metrics_path.exists():
            files.keep_lines(self.metrics_path, lambda row: row.get("step", step + 1) <= step)

    def kept_path(self, step: int, value: float) -> Path:
        """Where the weights of an evaluation are kept; `value` is its value on valid."""
        return self.path / f"best-step{step}-{value:.5g}.pt"

    def kept(self) -> dict[int, Path]:
        """The weights of evaluations that are kept beside best.pt, by their steps."""
        names = ((_KEPT.fullmatch(path.name), path) for path in self.path.glob("best-step*.pt"))
        return dict(sorted((int(match[1]), path) for match, path in names if match))

    def prune_kept(self, steps: Collection[int]) -> None:
        """Remove the kept weights of other evaluations."""
        for step, path in self.kept().items():
            if step not in steps:
                path.unlink(missing_ok=True)

    def write_predictions(
        self,
        labels: np.ndarray,
        predictions: np.ndarray,
        images: UInt8[np.ndarray, "M 28 28"] | None = None,
        mask: Bool[np.ndarray, "N T"] | None = None,
    ) -> None:
        """Write target and prediction of every test example, and pictures of the first few.

        Args:
            labels, predictions: classes [N], or [N, T] where each time step is answered; bits or
                values with a last axis where there are several.
            mask: the time steps that count, where not all do.
        """
        arrays = {"label": _small(labels), "prediction": _small(predictions)}
        if mask is not None:
            arrays["mask"] = mask
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

    def classes_on_test(self) -> tuple[np.ndarray, np.ndarray, int] | None:
        """Label and prediction [M] of every answer that counts on test, and the number of classes.

        None where the answers of the task are no classes.

        Raises:
            OSError, ValueError: predictions.npz or run.json is missing or damaged.
        """
        judged, arrays = self.judged(), self.test_arrays()
        if judged["output"] != "class":
            return None
        counts = arrays.get("mask", np.ones(arrays["label"].shape, bool))
        labels, predictions = arrays["label"][counts], arrays["prediction"][counts]
        if not (records.are_classes(labels) and records.are_classes(predictions)):
            raise ValueError(f"{self.predictions_path} must hold classes: it holds other values")
        largest = max(labels.max(initial=0), predictions.max(initial=0))
        return labels, predictions, max(int(judged["num_outputs"]), int(largest) + 1)

    def test_arrays(self) -> dict[str, np.ndarray]:
        """All that predictions.npz holds: "label", "prediction", and "image" of the first few.

        Raises:
            OSError, ValueError: it is missing or damaged.
        """
        try:
            arrays = parsing.from_npz(self.predictions_path)
            records.check_arrays(arrays)
        except ValueError as error:
            raise _named(self.predictions_path, error, "a run's predictions") from error
        return arrays


def _read(path: Path, check: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The content of a JSON file that passes a check.

    Raises:
        ValueError: it is damaged, or does not; the text names the file.
    """
    value = files.read_json(path)
    try:
        check(value)
    except ValueError as error:
        raise _named(path, error, "what a run writes") from None
    return value


def _named(path: Path, error: ValueError, what: str) -> ValueError:
    """An error with the file in its text."""
    text = " ".join(str(error).split())
    if text.startswith(str(path)):
        return error
    return ValueError(f"{path} must hold {what}: {text}; remove the file or its folder")


def _small(array: np.ndarray) -> np.ndarray:
    """Classes in as few bytes as hold them, values in float32."""
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    return array.astype(np.uint8 if array.max(initial=0) < 256 else np.int64)


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
