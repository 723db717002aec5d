"""A report as a notebook shows it: as Markdown, with its tables."""

from dataclasses import dataclass, fields

from mnist_seq.report.render.markdown import render
from mnist_seq.report.value import Report


@dataclass(frozen=True, repr=False)
class NotebookReport(Report):
    """A report whose value, at the end of a cell, is shown as report.md shows it."""

    def _repr_markdown_(self) -> str:
        return render(self)


def for_notebook(report: Report) -> NotebookReport:
    """The same report, for a notebook."""
    return NotebookReport(**{field.name: getattr(report, field.name) for field in fields(report)})
