"""Lines with bands over steps, of one scale in several panels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from mnist_seq.report import wording
from mnist_seq.report.charts.base import HEIGHT, LINE, Series, families, series_of, spaced, tooltip
from mnist_seq.report.charts.figure import Panel, Rows, Tables
from mnist_seq.report.value import Point, Report, Variant


@dataclass(frozen=True)
class Axes:
    """Titles of x and y, and which of the two are logarithmic."""

    x: str
    y: str
    is_log_x: bool = False
    is_log_y: bool = False


SEEDS = "lines: medians over seeds; bands: the smallest and the largest seed"


def panels_of(
    report: Report, points: Mapping[int, Sequence[Point]], axes: Axes
) -> tuple[Panel, ...]:
    """One panel for each family of variants, all on one scale.

    Args:
        points: by the key of the variant; a log axis leaves out 0.
    """
    series = series_of(report)
    found = {}
    for key, of_variant in points.items():
        v = report.variants[key]
        drawn = [
            p for p in of_variant
            if math.isfinite(p.value) and (p.low > 0 or not axes.is_log_y)
        ]  # fmt: skip
        found[key] = rows_of(drawn, series.of(v), v.label)
    ends = ends_of([row for rows in found.values() for row in rows])
    panels = []
    for title, members in families(report):
        here = [v for v in members if found.get(v.key)]
        if here:
            tables = Tables()
            rows = [row for v in here for row in found[v.key]]
            panels.append(Panel(title, lines(tables, rows, series, here, axes, ends), tables))
    return tuple(panels)


def rows_of(points: Sequence[Point], series: str, name: str) -> Rows:
    """Points of one line as rows of a chart."""
    return [
        {"x": p.step, "value": p.value, "low": p.low, "high": p.high, "series": series,
         "variant": name, "at": f"{p.step:g}", "text": wording.small(p.value)}
        for p in points
    ]  # fmt: skip


def ends_of(rows: Rows) -> tuple[float, float]:
    """The smallest and the largest value that is drawn."""
    return min((r["low"] for r in rows), default=0), max((r["high"] for r in rows), default=1)


def lines(
    tables: Tables,
    rows: Rows,
    series: Series,
    used: Sequence[Variant | str],
    axes: Axes,
    ends: tuple[float, float],
) -> Any:
    """A chart of lines with bands."""
    scale = spaced(is_log=axes.is_log_x, padding=0)
    x = alt.X("x:Q", title=axes.x, scale=scale, axis=alt.Axis(tickCount=5, format="~s"))
    height, ticks = _height(ends, is_log=axes.is_log_y)
    value = alt.Y("value:Q", title=axes.y, scale=height, axis=ticks)
    low = alt.Y("low:Q", title=axes.y, scale=height, axis=ticks)
    color = series.color(used=used, **LINE)
    base = alt.Chart(tables.add(rows)).encode(x=x, color=color)
    point = alt.OverlayMarkDef(size=40) if len({row["x"] for row in rows}) == 1 else False
    return alt.layer(
        base.mark_area(fillOpacity=0.15).encode(y=low, y2="high:Q"),
        base.mark_line(strokeWidth=2.2, point=point).encode(
            y=value, strokeDash=series.dash(used=used, **LINE)
        ),
        base.mark_point(opacity=0, size=60).encode(
            y=value, tooltip=tooltip(variant="variant", at=axes.x, text=axes.y)
        ),
    ).properties(height=HEIGHT)


def _height(ends: tuple[float, float], *, is_log: bool) -> tuple[alt.Scale, alt.Axis]:
    domain = list(ends)
    if not is_log:
        return alt.Scale(domain=domain, nice=True, zero=False), alt.Axis(tickCount=5)
    decades = range(math.ceil(math.log10(ends[0])), math.floor(math.log10(ends[1])) + 1)
    values = {"values": [10.0**k for k in decades]} if len(decades) > 1 else {"tickCount": 5}
    return alt.Scale(type="log", domain=domain, nice=False), alt.Axis(format="~g", **values)
