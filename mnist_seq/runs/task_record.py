"""What a run's task measures, as run.json says under "task"."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Runs of the code before the record: ten classes, accuracy and loss
_BEFORE: dict[str, Any] = {
    "name": "",
    "output": "class",
    "num_outputs": 10,
    "per_step": False,
    "main": "accuracy",
    "metrics": {"accuracy": {"higher_is_better": True}, "loss": {"higher_is_better": False}},
}


@dataclass(frozen=True)
class TaskRecord:
    """A run's task, as far as those who show the run must know it.

    Attributes:
        output: "class" where a label is the number of a class.
        per_step: whether each time step has a label.
        main: name of the metric that choices go by: `valid/<main>`.
        metrics: names of all metrics, `main` first.
    """

    output: str
    num_outputs: int
    per_step: bool
    main: str
    metrics: tuple[str, ...]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "TaskRecord":
        """From run.json.

        Raises:
            ValueError: the record is damaged.
        """
        task = {**_BEFORE, **record.get("task", {})}
        try:
            main, names = str(task["main"]), list(map(str, task["metrics"]))
            return cls(
                output=str(task["output"]),
                num_outputs=int(task["num_outputs"]),
                per_step=bool(task["per_step"]),
                main=main,
                metrics=(main, *(name for name in names if name != main)),
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"run.json must hold a task that can be read: {error}") from None
