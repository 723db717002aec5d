"""A report as a notebook uses it: shown with its figures, and as a table of pandas.

What is shown needs no network and no script: figures are pictures within the output.
"""

import base64
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.paper import figures
from mnist_seq.report.paper.statistics import tests
from mnist_seq.report.render.markdown import render
from mnist_seq.report.render.table_csv import rows_of
from mnist_seq.report.texts import answer, words
from mnist_seq.report.texts.headline import headline
from mnist_seq.report.value import Report

if TYPE_CHECKING:
    import pandas as pd

_LEFT, _RIGHT = "text-align:left", "text-align:right"


@dataclass(frozen=True, repr=False)
class NotebookReport(Report):
    """A report that the last line of a cell shows: the answer, the table, and figures."""

    def frame(self) -> "pd.DataFrame":
        """One row a variant, with the columns and the numbers of report.csv."""
        from mnist_seq.report.read.frame import frame_of

        return frame_of(list(rows_of(self)))

    def _repr_html_(self) -> str:
        if not self.tasks:
            return _shown(self)
        shown = (f"<h2>{for_html(task)}</h2>{_shown(own)}" for task, own in self.tasks.items())
        return f"<p>{for_html(self.headline)}</p>{''.join(shown)}"

    def markdown(self) -> str:
        """The whole report as report.md has it."""
        return render(self)


_FIGURES = (("Differences to the baseline", "forest-page"), ("Learning curves", "curves-page"))


def _shown(report: Report) -> str:
    """The answer on one task: sentences, what weakens them, the table, figures."""
    sentences = " ".join(headline(report))
    warned = "".join(f"<p>Warning: {for_html(text)}.</p>" for text in report.warnings)
    said = " ".join(text for text, _ in tests(report, is_caption=True))
    svgs = figures.drawn(report)
    pictures = "".join(
        f'<p><img alt="{for_html(title)}" src="data:image/svg+xml;base64,{_coded(svgs[name])}"></p>'
        for title, name in _FIGURES
        if name in svgs
    )
    return (
        f"<h3>{for_html(sentences)}</h3><p>{for_html(report.counts)}.</p>{warned}"
        f"{_table(report)}<p>{for_html(said)}</p>{pictures}"
    )


def _coded(svg: str) -> str:
    return base64.b64encode(svg.encode()).decode()


def _table(report: Report) -> str:
    heads = answer.header(report)
    head = "".join(f'<th style="{_RIGHT if i else _LEFT}">{for_html(h)}</th>'
                   for i, h in enumerate(heads))  # fmt: skip
    rows = ""
    for family in words.families(report):
        if family.title:
            rows += (
                f'<tr><th colspan="{len(heads)}" style="{_LEFT}">{for_html(family.title)}</th></tr>'
            )
        for v in family.variants:
            cells = "".join(
                f'<td style="{_RIGHT}">{for_html(c)}</td>' for c in answer.cells(report, v)
            )
            rows += f'<tr><td style="{_LEFT}">{for_html(family.labels[v.key])}</td>{cells}</tr>'
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def for_notebook(report: Report) -> NotebookReport:
    """The same report, for a notebook."""
    return NotebookReport(**{field.name: getattr(report, field.name) for field in fields(report)})
