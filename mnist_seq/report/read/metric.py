"""The number that a comparison is about: its unit, its direction, how it is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_seq.report.read.collect import Run
from mnist_seq.report.read.errors import CannotCompare


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

    def of(self, run: Run) -> float | None:
        """Value of a run in the unit that people read; None unless it finished with one."""
        if run.state != "finished" or self.name not in run.metrics:
            return None
        return run.metrics[self.name] * self.scale


def find_metric(name: str, runs: Sequence[Run]) -> Metric:
    """The metric of a name.

    Raises:
        CannotCompare: no run has it, or which way is better is not known.
    """
    finished = [run for run in runs if run.state == "finished"]
    known = sorted({k for run in finished for k in run.metrics if _direction(k) is not None})
    if (finished and name not in known) or _direction(name) is None:
        raise CannotCompare(
            f"metric must be one of {', '.join(known) or 'test/accuracy, test/loss'}: "
            f"metric={name}; choose one"
        )
    return metric(name)


def metric(name: str) -> Metric:
    """How the values of a metric are read."""
    split, _, what = name.partition("/")
    label = f"{split} {what}".strip()
    if _direction(name):
        return Metric(name, label, "%", "points", 100.0, 2, True)
    return Metric(name, label, "", "", 1.0, 4, False)


def _direction(name: str) -> bool | None:
    """True where higher is better, False where lower is, None where nobody compares by it."""
    what = name.rpartition("/")[2]
    return {"accuracy": True, "loss": False}.get(what)
