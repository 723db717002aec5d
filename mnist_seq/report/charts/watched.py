"""What diagnostics and searches show: gradients, gates and states; the best of n trials."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from mnist_seq.report import wording
from mnist_seq.report.charts import style
from mnist_seq.report.charts.base import (
    HEIGHT,
    LINE,
    Figure,
    Panel,
    Rows,
    Series,
    Tables,
    axis_title,
    families,
    series_of,
    spaced,
    tooltip,
)
from mnist_seq.report.evidence import Point, Watched
from mnist_seq.report.value import Report, Variant

_SEEDS = "lines: medians over seeds; bands: the smallest and the largest seed"


@dataclass(frozen=True)
class _Axes:
    """Titles of x and y, and which of the two are logarithmic."""

    x: str
    y: str
    is_log_x: bool = False
    is_log_y: bool = False


def gradients(report: Report) -> Figure | None:
    """The gradient that arrives at each time step, one panel for each family of variants."""
    axes = _Axes("time step", "gradient norm", is_log_y=True)
    panels = _panels(report, lambda watched: watched.gradient, axes)
    if not panels:
        return None
    caption = (
        "Norm of the gradient of the loss with respect to the state after each time step, at the "
        f"last evaluation, on 64 training examples at most; {_SEEDS}. A line that falls to the "
        "left is a gradient that vanishes on its way back; 0 has no place on this axis."
        + wording.not_finite(report.watched, report.variants)
    )
    return Figure("gradients", "Gradients along the sequence", caption, tuple(panels))


def states(report: Report) -> Figure | None:
    """Saturation of the gates and drift of the hidden norm while the runs train."""
    gates = _Axes("training (steps)", "saturated gates (%)")
    norms = _Axes("training (steps)", "norm of h, last / first step", is_log_y=True)
    panels = [
        *_panels(report, lambda watched: watched.saturated, gates),
        *_panels(report, lambda watched: watched.drift, norms),
    ]
    if not panels:
        return None
    caption = (
        "Share of gate values nearer than 0.05 to 0 or 1 (cells with gates), and the norm of the "
        f"hidden state after the last time step over that after the first; {_SEEDS}."
        + wording.not_finite(report.watched, report.variants)
    )
    return Figure("states", "Gates and states", caption, tuple(panels))


def search(report: Report) -> Figure | None:
    """Expected best value on validation against the number of trials."""
    found = report.search
    if found is None:
        return None
    cells = [curve.cell for curve in found.curves]
    names = [curve.name for curve in found.curves]
    styles = (
        dict(zip(names, (style.cell_styles(cells)[cell] for cell in cells), strict=True))
        if len(set(cells)) == len(cells)
        else style.variant_styles(names)
    )
    series = Series("variant", styles)
    rows = [row for curve in found.curves for row in _rows(curve.best, curve.name, curve.name)]
    tables = Tables()
    axes = _Axes("trials", axis_title(f"expected best {found.label}", found.unit), is_log_x=True)
    chart = _lines(tables, rows, series, names, axes, _ends(rows))
    caption = (
        f"Best {found.label} that a search of so many trials ends with; line: mean, band: one "
        f"standard deviation to either side (Dodge et al. 2019); {found.assumption}."
    )
    return Figure("search", "What more trials bring", caption, (Panel("", chart, tables),))


def _panels(
    report: Report, points: Callable[[Watched], Sequence[Point]], axes: _Axes
) -> list[Panel]:
    """One panel for each family of variants, all on one scale."""
    series = series_of(report)
    names = {v.key: v.name for v in report.variants}
    found = {
        w.variant: _rows(
            [p for p in points(w) if math.isfinite(p.value) and (p.low > 0 or not axes.is_log_y)],
            series.of(report.variants[w.variant]),
            names[w.variant],
        )
        for w in report.watched
    }
    ends = _ends([row for rows in found.values() for row in rows])
    panels = []
    for title, members in families(report):
        here = [v for v in members if found.get(v.key)]
        if here:
            tables = Tables()
            rows = [row for v in here for row in found[v.key]]
            panels.append(Panel(title, _lines(tables, rows, series, here, axes, ends), tables))
    return panels


def _rows(points: Sequence[Point], series: str, name: str) -> Rows:
    return [
        {"x": p.step, "value": p.value, "low": p.low, "high": p.high, "series": series,
         "variant": name, "at": f"{p.step:g}", "text": wording.small(p.value)}
        for p in points
    ]  # fmt: skip


def _ends(rows: Rows) -> tuple[float, float]:
    """The smallest and the largest value that is drawn."""
    return min((r["low"] for r in rows), default=0), max((r["high"] for r in rows), default=1)


def _lines(
    tables: Tables,
    rows: Rows,
    series: Series,
    used: Sequence[Variant | str],
    axes: _Axes,
    ends: tuple[float, float],
) -> Any:
    """Lines with bands."""
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
