"""The number that a comparison is about: its unit, its direction, how it is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.read.run import Run
from mnist_seq.report.read.task_record import MetricRecord, TaskRecord


@dataclass(frozen=True)
class Metric:
    """One `split/name` of result.json.

    Attributes:
        scale: from the file's value to the one that people read: 100 for accuracies.
        unit: behind values; `points` behind differences ("%" and "points" for accuracies).
        decimals: of values and differences wherever they are written.
    """

    name: str
    label: str
    unit: str
    points: str
    scale: float
    decimals: int
    higher_is_better: bool

    @property
    def title(self) -> str:
        """Its label with its unit, for the head of a column."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    @property
    def last_name(self) -> str:
        """Its name without the split."""
        return self.name.rpartition("/")[2]

    @property
    def is_share(self) -> bool:
        """Whether it is a share of the examples, from 0 to 100 %."""
        return self.unit == "%"

    def of(self, run: Run) -> float | None:
        """Value of a run in the unit that people read; None unless it finished with one."""
        if run.state != "finished" or self.name not in run.metrics:
            return None
        return run.metrics[self.name] * self.scale


def task_of(runs: Sequence[Run]) -> TaskRecord:
    """The task of runs that may be compared; runs before the record have the same one."""
    return next((run for run in runs if "task" in run.record), runs[0]).task


def find_metric(name: str, runs: Sequence[Run]) -> Metric:
    """The metric of a name.

    Raises:
        CannotCompare: no run has it, or the task has no such metric.
    """
    task = task_of(runs)
    finished = [run for run in runs if run.state == "finished"]
    known = sorted({key for run in finished for key in run.metrics if _is_of(key, task)})
    if (finished and name not in known) or not _is_of(name, task):
        names = known or [f"test/{metric}" for metric in task.metrics]
        raise CannotCompare(f"metric must be one of {', '.join(names)}: metric={name}; choose one")
    return metric_of(name, task)


def find_selector(name: str, runs: Sequence[Run]) -> Metric:
    """The validation metric that choices go by.

    Raises:
        CannotCompare: a metric of another split, or none of the task.
    """
    task = task_of(runs)
    allowed = [f"valid/{metric}" for metric in task.metrics]
    if name not in allowed:
        why = (
            ": a choice by the test set leaves nothing to report the chosen with"
            if name.startswith("test/")
            else ""
        )
        raise CannotCompare(f"select must be one of {', '.join(allowed)}: select={name}{why}")
    return metric_of(name, task)


def metric_of(name: str, task: TaskRecord) -> Metric:
    """How the values of a metric are read; one that the task does not know has no unit."""
    split, _, what = name.partition("/")
    found = task.metrics.get(what, MetricRecord(higher_is_better=False))
    return Metric(
        name=name,
        label=f"{split} {what}".strip(),
        unit=found.unit,
        points=found.points,
        scale=found.scale,
        decimals=found.decimals,
        higher_is_better=found.higher_is_better,
    )


def _is_of(name: str, task: TaskRecord) -> bool:
    return name.rpartition("/")[2] in task.metrics
