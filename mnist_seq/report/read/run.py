"""One run folder as read from the disk."""

import contextlib
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mnist_seq.report.read.task_record import TaskRecord
from mnist_seq.runs.disk import records
from mnist_seq.runs.files import Lines
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.variants import Flat

State = Literal["finished", "diverged", "failed", "interrupted", "unreadable"]


@dataclass(frozen=True)
class Run:
    """One run folder as read from the disk.

    Attributes:
        values: every config key by its dotted name, the seed included, and `data.*` of run.json.
        variant: the keys that make its variant.
        metrics: of result.json, fractions; empty unless finished or diverged.
        reason: why it did not finish, one line.
        num_params, seconds: NaN unless finished or diverged.
        state_size, multiply_adds: the same, and NaN in runs of versions that did not count them.
        updates: optimizer steps, fewer where `is_stopped_early`; NaN unless finished or diverged.
    """

    folder: Path
    seed: int
    state: State
    reason: str
    values: Flat
    variant: Flat
    record: Mapping[str, Any]
    task: TaskRecord
    metrics: Mapping[str, float] = field(default_factory=dict)
    num_params: float = math.nan
    state_size: float = math.nan
    multiply_adds: float = math.nan
    seconds: float = math.nan
    updates: float = math.nan
    is_stopped_early: bool = False

    @property
    def identity(self) -> str:
        """Hash of all that its numbers depend on, the seed included."""
        return str(self.record["config_hash"])

    @property
    def data(self) -> Mapping[str, Any]:
        """What run.json says of the data: fingerprint, split, permutation, sizes."""
        found = self.record["data"]
        assert isinstance(found, Mapping)
        return found

    @functools.cached_property
    def metric_lines(self) -> Lines:
        """The lines of metrics.jsonl, read once.

        Raises:
            OSError, ValueError: it cannot be read, or is too large.
        """
        return RunFolder(self.folder).metric_lines()

    @functools.cached_property
    def history(self) -> list[dict[str, Any]]:
        """Evaluations in the order of their steps; lines without step and seconds are left out."""
        rows = []
        with contextlib.suppress(OSError, ValueError):  # said when it was collected
            rows = [r for r in self.metric_lines.rows if "step" in r and "seconds" in r]
        return sorted(rows, key=lambda row: float(row["step"]))

    def evaluations(self, name: str) -> dict[float, float]:
        """Finite values of one metric by step, in the file's unit."""
        return {float(r["step"]): r[name] for r in self.history if is_number(r.get(name))}

    @functools.cached_property
    def predictions(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Targets and predictions of the test examples, or None where they cannot be read."""
        try:
            targets, predictions = RunFolder(self.folder).predictions()
        except (OSError, ValueError):
            return None
        arrays = (targets, predictions)
        if self.task.output == "class" and not self.task.per_step:
            num = self.task.num_outputs
            is_as_said = targets.ndim == 1 and all(records.are_classes(a, num) for a in arrays)
        else:
            kinds = "ui" if self.task.output == "class" else "fui"
            is_as_said = all(array.dtype.kind in kinds for array in arrays)
        return arrays if is_as_said else None

    @functools.cached_property
    def mask(self) -> np.ndarray | None:
        """The time steps of the test examples that count; None for all, or where it is unknown."""
        try:
            found = RunFolder(self.folder).test_arrays().get("mask")
        except (OSError, ValueError):
            return None
        return found if found is not None and found.dtype == np.bool_ else None

    @property
    def classes(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The same where each example has one class; else None."""
        is_one_each = self.task.output == "class" and not self.task.per_step
        return self.predictions if is_one_each else None


def is_number(value: object) -> bool:
    """Whether a value of a JSON file is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
