"""Mean ranks over tasks, row by row, with bars over variants that are not told apart."""

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
    """One variant: its rank on each task by the task's name, the mean and its interval."""

    name: str
    by_task: dict[str, float]
    mean: float
    low: float
    high: float


def ranking(rows: Sequence[Row], bars: Sequence[Sequence[int]], caption: str) -> str:
    """The chart as a table, best first.

    Args:
        bars: positions of the rows that each bar joins.
    """
    axis = Axis(0.8, len(rows) + (0.4 + 0.2 * len(bars) if bars else 0.2))
    places: list[Mark] = [
        Text(axis.at(rank), 14, str(rank)) for rank in range(1, len(rows) + 1)
    ]  # fmt: skip
    lines = "".join(_row(i, row, bars, axis, len(rows)) for i, row in enumerate(rows))
    return (
        f'<table class="strip"><caption class="vh">{for_html(caption)}</caption><thead><tr>'
        f'<th scope="col">Variant</th><th scope="col" class="c"><span class="vh">Rank</span>'
        f'{svg(places, 20, css="fx")}</th><th scope="col" class="r">Mean rank</th></tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )


def _row(place: int, row: Row, bars: Sequence[Sequence[int]], axis: Axis, num: int) -> str:
    middle = _HEIGHT / 2
    marks: list[Mark] = [
        Line(axis.at(rank), 0, axis.at(rank), _HEIGHT, "grid") for rank in range(1, num + 1)
    ]
    if not math.isnan(row.low):
        marks.append(Line(axis.at(row.low), middle, axis.at(row.high), middle, "sim"))
    for task, rank in row.by_task.items():
        marks.append(Dot(axis.at(rank), middle, 3, "seed", f"{task}: {rank:g}"))
    marks.append(Dot(axis.at(row.mean), middle, 5.5, "mean"))
    for slot, bar in enumerate(bars):
        if place in bar:
            x = axis.at(num + 0.3 + 0.2 * slot)
            top = middle if place == min(bar) else 0
            marks.append(Line(x, top, x, middle if place == max(bar) else _HEIGHT, "ci"))
    each = ", ".join(f"{task} {rank:g}" for task, rank in row.by_task.items())
    said = f"{row.name}: mean rank {fmt.number(row.mean, 2)}; {each}"
    return (
        f'<tr><th scope="row">{for_html(row.name)}</th>'
        f'<td class="c">{svg(marks, _HEIGHT, said, "undecided")}</td>'
        f'<td class="r">{fmt.number(row.mean, 2)}</td></tr>'
    )
