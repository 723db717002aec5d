"""What the task of a run is and is judged by, as run.json says under "task"."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnist_seq.runs.events import BY_ACCURACY
from mnist_seq.runs.text import cut


@dataclass(frozen=True)
class MetricRecord:
    """How the values of one metric are read.

    Attributes:
        unit: behind values; `points`: behind differences of two values.
        scale: from the value that is stored to the one that people read: 100 for accuracies.
        decimals: wherever they are written.
    """

    higher_is_better: bool
    unit: str = ""
    points: str = ""
    scale: float = 1.0
    decimals: int = 4

    @property
    def is_share(self) -> bool:
        """Whether it is a share of right answers, from 0 to 1."""
        return self.unit == "%"


@dataclass(frozen=True)
class TaskRecord:
    """A run's task, as far as those who show the run must know it.

    Attributes:
        output: "class" where a label is the number of a class.
        per_step: whether each time step has a label.
        main: name of the metric that choices go by: `valid/<main>`.
        metrics: all metrics by their names, `main` first.
        guess: what the best answer that ignores the input gets on test, by metric; empty where the
            run does not say.
        plateaus: what else is no solution, in words, with its value of `main`.
        classes: names of the classes; empty where they are numbers.
        noun: word for its examples.
    """

    output: str
    num_outputs: int
    per_step: bool
    main: str
    metrics: Mapping[str, MetricRecord]
    guess: Mapping[str, float]
    plateaus: Mapping[str, float]
    classes: tuple[str, ...] = ()
    noun: str = "images"

    def is_share(self, name: str) -> bool:
        """Whether a metric, with its split or without, is a share of right answers."""
        metric = self.metrics.get(name.rpartition("/")[2])
        return metric is not None and metric.is_share

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "TaskRecord":
        """From run.json; runs of version 0.1.0, which lack it, have ten classes and an accuracy.

        Raises:
            ValueError: the record is damaged.
        """
        try:
            task = {
                "per_step": False,
                "guess": {},
                "plateaus": {},
                "classes": (),
                "noun": "images",
                **BY_ACCURACY,
                **record.get("task", {}),
            }
            main, about = str(task["main"]), dict(task["metrics"])
            names = (main, *(name for name in about if name != main))
            metrics = {name: _metric(**about[name]) for name in names}
            guess = {str(name): float(value) for name, value in task["guess"].items()}
            if guess and main not in guess:
                raise ValueError(f"guess lacks {main}")
            return cls(
                output=str(task["output"]),
                num_outputs=int(task["num_outputs"]),
                per_step=bool(task["per_step"]),
                main=main,
                metrics=metrics,
                guess=guess,
                plateaus={str(name): float(value) for name, value in task["plateaus"].items()},
                classes=tuple(cut(str(name)) for name in task["classes"]),
                noun=cut(str(task["noun"])),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"run.json must hold a task that can be read: {cut(str(error))}"
            ) from None


def _metric(
    higher_is_better: bool,
    unit: str = "",
    points: str | None = None,
    scale: float = 1.0,
    decimals: int = 4,
) -> MetricRecord:
    points = ("points" if unit == "%" else unit) if points is None else points
    return MetricRecord(bool(higher_is_better), str(unit), str(points), float(scale), int(decimals))
