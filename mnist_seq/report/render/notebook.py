"""A report as a notebook uses it: shown as Markdown, and as a table of pandas."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from mnist_seq.report.render.markdown import render
from mnist_seq.report.render.table_csv import rows_of
from mnist_seq.report.value import Report

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class NotebookReport(Report):
    """A report that the last line of a cell shows as report.md shows it."""

    def frame(self) -> "pd.DataFrame":
        """One row a variant, with the columns and the numbers of report.csv."""
        import pandas as pd

        return pd.DataFrame(list(rows_of(self)))

    def _repr_markdown_(self) -> str:
        return render(self)


def for_notebook(report: Report) -> NotebookReport:
    """The same report, for a notebook."""
    return NotebookReport(**{field.name: getattr(report, field.name) for field in fields(report)})
