"""Several tasks side by side: what each variant got on each of them, and the verdict on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mnist_seq.report.read.metric import Metric
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report, Variant
from mnist_seq.stats import Correction

_NAMES = {"holm": "Holm", "bh": "Benjamini-Hochberg", "none": ""}


@dataclass(frozen=True)
class Column:
    """One task.

    Attributes:
        decimals: of its values and differences.
        num_comparisons: the family that its p is corrected over.
    """

    metric: Metric
    decimals: int
    num_comparisons: int


@dataclass(frozen=True)
class Grid:
    """The variants by tasks.

    Attributes:
        tasks: by name.
        entries: by name, the variant of each task; None where the task has none of this name.
    """

    tasks: Mapping[str, Column]
    entries: Mapping[str, tuple[Variant | None, ...]]
    correction: Correction


class Suite(Section[Grid]):
    """Needs runs of two tasks."""

    order = 5.0
    of_tasks = True
    heading = "Variants by tasks"
    lead = "Each task is judged on its own, with its own metric and baseline."

    def compute(self, inputs: Inputs) -> Grid | None:
        """Variants of different tasks go together by their names, the keys that vary in a task."""
        reports = inputs.tasks
        if len(reports) < 2:
            return None
        by_name = [{v.name: v for v in report.variants} for report in reports.values()]
        names = dict.fromkeys(name for own in by_name for name in own)
        return Grid(
            tasks={
                task: Column(report.metric, words.decimals_of(report), report.num_comparisons)
                for task, report in reports.items()
            },
            entries={name: tuple(own.get(name) for own in by_name) for name in names},
            correction=inputs.options.correction,
        )

    def tables(self, report: Report, part: Grid) -> Sequence[Table]:
        """One row a variant, one column a task."""
        columns = list(part.tasks.values())
        header = (
            "variant",
            *(f"{words.data(task)}: {column.metric.title}" for task, column in part.tasks.items()),
        )
        rows = tuple(
            (
                next(v.label for v in own if v),
                *(_entry(v, column) for v, column in zip(own, columns, strict=True)),
            )
            for own in part.entries.values()
        )
        formats = ("html", "markdown", "terminal")  # a report in W&B is about one task
        return [
            Table("Variants by tasks", header, rows, _caption(part), "tasks", header[1:], formats)
        ]


def _entry(v: Variant | None, column: Column) -> str:
    """Difference and verdict, with the mean; of a baseline the mean."""
    if v is None:
        return fmt.NONE
    mean = fmt.number(v.mean, column.decimals)
    if v.compared is None:
        return f"{mean}, {words.verdict(v)}" if v.word else mean
    difference = fmt.signed(v.compared.comparison.difference, column.decimals)
    return f"{difference} {words.verdict(v)} ({mean})"


def _caption(part: Grid) -> str:
    down = [words.data(task) for task, own in part.tasks.items() if not own.metric.higher_is_better]
    lower = f" Lower is better on {fmt.joined(down)}." if down else ""
    name = _NAMES[part.correction]
    families = ", ".join(
        f"{words.data(task)} {own.num_comparisons}" for task, own in part.tasks.items()
    )
    p = f"p is corrected within a task ({name}; comparisons: {families})" if name else (
        "p is not corrected"
    )  # fmt: skip
    return (
        "Difference to the baseline of the same task and the verdict on it; in brackets the mean "
        f"over seeds. Each task is judged on its own: {p}, and nothing is averaged over tasks."
        f"{lower}"
    )
