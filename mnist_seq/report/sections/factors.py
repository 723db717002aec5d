"""The metric along each swept key, one line for variants that agree on all others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from mnist_seq.report import wording
from mnist_seq.report.charts.base import (
    HEIGHT,
    Series,
    axis_title,
    series_of,
    short,
    spaced,
    tooltip,
)
from mnist_seq.report.charts.figure import Drawing, Figure, Panel, Tables
from mnist_seq.report.charts.page.along import At, along
from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.sections import Inputs, Section
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.texts.cautions import means_text
from mnist_seq.report.value import Report, Variant
from mnist_seq.runs.variants import ARM

_MOST_TICKS = 10


@dataclass(frozen=True)
class Keys:
    """Swept keys along which a line can run."""

    keys: tuple[str, ...]


class Factors(Section[Keys]):
    """Needs a swept key, other than the cell and the arm, and a variant with a value."""

    order = 50.0
    figures = ("factors",)
    heading = "Along each setting"
    lead = "A line joins variants that agree on all other settings."

    def compute(self, inputs: Inputs) -> Keys | None:
        """The keys; cells and arms have no order along which a line could run."""
        found = tuple(
            key
            for key in inputs.keys
            if key not in ("model.name", ARM)
            and len({v.factors.get(key) for v in inputs.variants}) > 1
        )
        return Keys(found) if found and any(v.n for v in inputs.variants) else None

    def drawn(self, report: Report, part: Keys) -> Sequence[Drawing]:
        """One chart a key."""
        charts = "".join(_along(report, key) for key in part.keys)
        caption = (
            f"Mean {report.metric.label} over seeds; whiskers, where the lines are few: "
            f"{fmt.percent(report.level)} t-interval.{means_text(report.variants)}"
        )
        return [Drawing("Along each setting", f'<div class="pair">{charts}</div>', caption)]

    def charts(self, report: Report, part: Keys) -> Sequence[Figure]:
        """One panel a key."""
        known = [v for v in report.variants if v.n]
        series = series_of(report)
        if series.title == "variant":  # lines join the variants, so colour cannot part them
            series = Series("cell", {words.cell(known[0].cell): next(iter(series.styles.values()))})
        caption = (
            f"Mean {report.metric.label} over seeds; whiskers: {wording.percent(report.level)} "
            "t-interval. A line joins variants that agree on all other keys."
            f"{means_text(report.variants)}"
        )
        panels = tuple(_factor(report, key, known, series) for key in part.keys)
        return [Figure("factors", "Along each swept key", caption, panels)]


def _along(report: Report, key: str) -> str:
    """The chart of one key; values that are texts stand in their order."""
    here = [v for v in report.variants if v.n and key in v.factors]
    values = [v.factors[key] for v in here]
    is_number = all(isinstance(x, float) for x in values)
    order = sorted(dict.fromkeys(values), key=lambda x: (isinstance(x, str), x))
    at = {x: float(x) if is_number else float(i) for i, x in enumerate(order)}
    names, d = words.labels(report), words.decimals_of(report)
    lines: dict[str, list[At]] = {}
    for v in here:
        rest = [
            words.short_setting(k, s, report.factor_keys) for k, s in v.settings.items() if k != key
        ]
        mean = fmt.with_unit(fmt.number(v.mean, d), report.metric.unit)
        point = At(at[v.factors[key]], v.mean, v.low, v.high, words.kind(v),
                   f"{names[v.key]}: {mean}")  # fmt: skip
        lines.setdefault(", ".join(rest) or words.cell(v.cell), []).append(point)
    texts = {at[x]: fmt.plain(x) if isinstance(x, float) else x for x in order}
    name = short(key, report.factor_keys)
    said = "; ".join(p.title for own in lines.values() for p in own[:20])
    title = f"{report.metric.label.capitalize()} along {name}"
    chart = along(lines, texts, report.metric.unit, f"{title}: {said}")
    return f"<div><h3>{for_html(title)}</h3>{chart}</div>"


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
        "variant": v.label,
        "series": series.of(v),
        "x": v.factors[key],
        "rest": "/".join(f"{k}={s}" for k, s in v.settings.items() if k != key),
        "value": v.mean,
        "text": wording.number(v.mean, d),
        "interval": wording.span(v.low, v.high, d),
        "n": wording.n_text(v),
    }
    return row if math.isnan(v.low) else row | {"low": v.low, "high": v.high}
