"""A row of ticks for each variant: when its seeds got somewhere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mnist_seq.report.charts.page.axis import Axis
from mnist_seq.report.charts.page.scene import Dot, Line, Mark, Text, svg
from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.texts import fmt

_HEIGHT = 26


@dataclass(frozen=True)
class Row:
    """One variant: the values of its seeds, and their median, infinite where there is none."""

    name: str
    kind: str
    values: tuple[float, ...]
    median: float
    text: str


def strip(rows: Sequence[Row], unit: str, caption: str) -> str:
    """The chart as a table, whose cells have the ticks and say them."""
    axis = Axis.over([0.0, *(x for row in rows for x in row.values)], after=0.04)
    ticks = axis.ticks(5)
    names: list[Mark] = [
        Text(axis.at(t), 14, _at(t, unit, ticks), anchor=_anchor(axis.at(t))) for t in ticks
    ]
    head = svg(names, 20, css="fx")
    lines = "".join(_row(row, axis, ticks, unit) for row in rows)
    return (
        f'<table class="strip"><caption class="vh">{for_html(caption)}</caption><thead><tr>'
        '<th scope="col">Variant</th>'
        f'<th scope="col" class="c"><span class="vh">Seconds</span>{head}</th>'
        f'<th scope="col" class="r">Median, {unit}</th><th scope="col" class="r">Seeds</th></tr>'
        f"</thead><tbody>{lines}</tbody></table>"
    )


def _row(row: Row, axis: Axis, ticks: Sequence[float], unit: str) -> str:
    marks: list[Mark] = [Line(axis.at(t), 0, axis.at(t), _HEIGHT, "grid") for t in ticks]
    marks += [Line(axis.at(x), 4, axis.at(x), _HEIGHT - 4, "ci") for x in row.values]
    if math.isfinite(row.median):
        marks.append(Dot(axis.at(row.median), _HEIGHT / 2, 5, "mean"))
    said = f"{row.name}: {', '.join(fmt.significant(x) for x in row.values) or 'no seed'} {unit}"
    return (
        f'<tr><th scope="row">{for_html(row.name)}</th>'
        f'<td class="c">{svg(marks, _HEIGHT, said, row.kind)}</td>'
        f'<td class="r">{fmt.number(row.median, 1)}</td>'
        f'<td class="r">{for_html(row.text)}</td></tr>'
    )


def _at(t: float, unit: str, ticks: Sequence[float]) -> str:
    return fmt.with_unit(fmt.plain(t), unit if t == ticks[-1] else "")


def _anchor(share: float) -> str:
    return "start" if share < 0.04 else "end" if share > 0.96 else "middle"
