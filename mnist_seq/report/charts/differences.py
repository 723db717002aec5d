"""The differences to the baseline with their intervals, and the metric along each swept key."""

import math
from typing import Any

import altair as alt

from mnist_seq.report import wording
from mnist_seq.report.charts.base import (
    HEIGHT,
    INK,
    ROW,
    Figure,
    Panel,
    Series,
    Tables,
    axis_title,
    series_of,
    short,
    spaced,
    tooltip,
)
from mnist_seq.report.value import Report, Variant
from mnist_seq.runs.variants import ARM

_MOST_TICKS = 10


def differences(report: Report) -> Figure | None:
    """One line a variant: its difference to the baseline and the interval of it."""
    compared = [v for v in report.variants if v.difference is not None]
    if not compared:
        return None
    series, d = series_of(report), report.metric.decimals
    tables = Tables()
    rows = [_difference_row(v, series, d) for v in compared]
    label = axis_title("difference to the baseline", report.metric.points)
    y = alt.Y("variant:N", sort=[v.name for v in compared], title=None,
              axis=alt.Axis(grid=False, ticks=False, domain=False, labelPadding=8))  # fmt: skip
    about = tooltip(variant="variant", baseline="baseline", difference="difference",
                    interval="interval", p="adjusted p", pairing="pairing",
                    word="verdict")  # fmt: skip
    base = alt.Chart(tables.add(rows)).encode(y=y, tooltip=about)
    zero = (
        alt.Chart(tables.add([{"zero": 0}]))
        .mark_rule(color=INK, strokeOpacity=0.6)
        .encode(x="zero:Q")
    )
    whiskers = base.mark_rule(strokeWidth=2.5).encode(
        x=alt.X("low:Q", title=label), x2="high:Q", color=series.color(used=compared)
    )
    points = base.mark_point(size=110, filled=True, opacity=1).encode(
        x=alt.X("value:Q", title=label),
        color=series.color(used=compared),
        shape=series.shape(used=compared),
    )
    layers: list[Any] = [zero, whiskers, points]
    if report.rule.margin is not None:
        edge = [{"low": -report.rule.margin, "high": report.rule.margin}]
        margin = alt.Chart(tables.add(edge)).mark_rect(color=INK, fillOpacity=0.08)
        layers.insert(0, margin.encode(x="low:Q", x2="high:Q"))
    caption = (
        f"Mean difference in {report.metric.label} over seeds; whiskers: "
        f"{wording.percent(report.level)} interval, not adjusted for the "
        "number of comparisons. Left of 0 the variant is "
        f"{'worse' if report.metric.higher_is_better else 'better'}."
    )
    if report.rule.margin is not None:
        caption += f" Shaded: the declared margin of {report.rule.margin:g}."
    chart = alt.layer(*layers).properties(height=ROW * len(compared) + 10)
    return Figure(
        "differences", "Differences to the baseline", caption, (Panel("", chart, tables),)
    )


def factors(report: Report) -> Figure | None:
    """The metric along each swept key, one line for variants that agree on all others."""
    # cells and arms have no order along which a line could run
    keys = [key for key in report.factor_keys if key not in ("model.name", ARM)]
    keys = [key for key in keys if len({v.factors.get(key) for v in report.variants}) > 1]
    known = [v for v in report.variants if v.n]
    if not keys or not known:
        return None
    series = series_of(report)
    if series.title == "variant":  # lines join the variants, so colour cannot part them
        series = Series("cell", {known[0].cell: next(iter(series.styles.values()))})
    panels = [_factor(report, key, known, series) for key in keys]
    caption = (
        f"Mean {report.metric.label} over seeds; whiskers: {wording.percent(report.level)} "
        "t-interval. "
        "A line joins variants that agree on all other keys."
    )
    return Figure("factors", "Along each swept key", caption, tuple(panels))


def _factor(report: Report, key: str, known: list[Variant], series: Series) -> Panel:
    tables = Tables()
    here = [v for v in known if key in v.factors]
    numbers = [v.factors[key] for v in here]
    ticks = sorted({x for x in numbers if isinstance(x, float)})
    is_number = all(isinstance(x, float) for x in numbers)
    is_log = is_number and ticks[0] > 0 and ticks[-1] >= 4 * ticks[0]
    name = short(key, report.factor_keys)
    # each value of a grid has its tick; those that a search drew are too many, and too long
    axis = (
        alt.Axis(values=ticks, labelExpr="datum.value", grid=False)
        if len(ticks) <= _MOST_TICKS
        else alt.Axis(tickCount=5, format="~g", grid=False, labelOverlap=True)
    )
    x = (
        alt.X("x:Q", title=name, scale=spaced(is_log=is_log, padding=16), axis=axis)
        if is_number
        else alt.X("x:N", title=name, axis=alt.Axis(labelAngle=0, grid=False))
    )  # fmt: skip
    rows = [_factor_row(report, v, key, series) for v in here]
    label = axis_title(report.metric.label, report.metric.unit)
    y = alt.Y("value:Q", title=label, scale=alt.Scale(zero=False))
    base = alt.Chart(tables.add(rows)).encode(x=x, color=series.color(used=here))
    lines = base.mark_line(strokeWidth=2).encode(
        y=y, detail="rest:N", strokeDash=series.dash(used=here)
    )
    whiskers = base.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q", title=label), y2="high:Q")
    points = base.mark_point(size=80, filled=True, opacity=1).encode(
        y=y,
        shape=series.shape(used=here),
        tooltip=tooltip(variant="variant", text=label, interval="interval", n="n"),
    )
    ends = [whiskers] if any("low" in row for row in rows) else []  # of one seed there are none
    return Panel("", alt.layer(*ends, lines, points).properties(height=HEIGHT), tables)


def _factor_row(report: Report, v: Variant, key: str, series: Series) -> dict[str, Any]:
    d = report.metric.decimals
    row: dict[str, Any] = {
        "variant": v.name,
        "series": series.of(v),
        "x": v.factors[key],
        "rest": "/".join(f"{k}={s}" for k, s in v.settings.items() if k != key),
        "value": v.mean,
        "text": wording.number(v.mean, d),
        "interval": f"{wording.number(v.low, d)} to {wording.number(v.high, d)}",
        "n": wording.n_text(v),
    }
    return row if math.isnan(v.low) else row | {"low": v.low, "high": v.high}


def _difference_row(v: Variant, series: Series, decimals: int) -> dict[str, Any]:
    x = v.difference
    assert x is not None
    return {
        "variant": v.name,
        "baseline": v.baseline_name,
        "series": series.of(v),
        "value": x.difference,
        "low": x.low,
        "high": x.high,
        "difference": wording.signed(x.difference, decimals),
        "interval": f"{wording.number(x.low, decimals)} to {wording.number(x.high, decimals)}",
        "p": wording.p_value(x.p_adjusted),
        "pairing": x.pairing,
        "word": v.word,
    }
