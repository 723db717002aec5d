"""What accuracy costs: parameters, seconds, and the time to a threshold."""

import math
from typing import Any

import altair as alt

from mnist_seq.report import wording
from mnist_seq.report.charts.base import (
    HEIGHT,
    INK,
    ROW,
    WIDTH,
    Figure,
    Panel,
    Rows,
    Series,
    Tables,
    axis_title,
    series_of,
    spaced,
    tooltip,
)
from mnist_seq.report.value import Report, Variant

_LETTERS = (6, 13)  # width and height of a letter of a name, in pixels


def costs(report: Report) -> Figure | None:
    """The metric against parameters and against training seconds, with the Pareto fronts."""
    known = [v for v in report.variants if v.n]
    if not known:
        return None
    series = series_of(report)
    panels = (
        Panel(
            "against parameters", *_cost(report, known, series, "num_params", "trained parameters")
        ),
        Panel(
            "against training time", *_cost(report, known, series, "seconds", "training time (s)")
        ),
    )
    caption = (
        f"Mean over seeds; whiskers: {wording.percent(report.level)} t-interval. Dashed line: "
        "the Pareto "
        "front of the means, the variants that no other beats at equal or lower cost."
    )
    return Figure("costs", "What it costs", caption, panels)


def _cost(
    report: Report, known: list[Variant], series: Series, name: str, title: str
) -> tuple[Any, Tables]:
    tables = Tables()
    mark = {"num_params": "is_cheapest_params", "seconds": "is_cheapest_seconds"}[name]
    rows = [_cost_row(report, v, series, getattr(v, name)) for v in known]
    front = [row for row, v in zip(rows, known, strict=True) if getattr(v, mark)]
    label = axis_title(report.metric.label, report.metric.unit)
    found = [getattr(v, name) for v in known]
    is_log = min(found) > 0 and max(found) >= 4 * min(found)
    scale = spaced(is_log=is_log, padding=28)
    axis = alt.Axis(
        tickCount=4, grid=False, labelOverlap=True, format="~s" if name == "num_params" else "~r"
    )
    x = alt.X("x:Q", title=title, axis=axis, scale=scale)
    y = alt.Y("value:Q", title=label, scale=alt.Scale(zero=False, padding=14))
    base = alt.Chart(tables.add(rows)).encode(x=x)
    whiskers = base.mark_rule(strokeWidth=1.5).encode(
        y=alt.Y("low:Q", title=label), y2="high:Q", color=series.color(used=known)
    )
    about = tooltip(variant="variant", text=label, interval="interval", params="parameters",
                    seconds="seconds")  # fmt: skip
    points = base.mark_point(size=90, filled=True, opacity=1).encode(
        y=y, color=series.color(used=known), shape=series.shape(used=known), tooltip=about
    )
    on_it = alt.Chart(tables.add(front)).encode(x=x, y=y)
    steps = on_it.mark_line(
        color=INK, strokeDash=[3, 3], strokeOpacity=0.6, interpolate="step-after"
    )
    # to the left of the middle a name runs right, to the right of it left, and so stays inside
    middle = math.sqrt(min(found) * max(found)) if is_log else (min(found) + max(found)) / 2
    front = _apart(front, rows, is_log=is_log)
    sides: list[tuple[bool, Any, int]] = [(False, "left", 7), (True, "right", -7)]
    names = [
        alt.Chart(tables.add([row for row in front if (row["x"] > middle) == is_right]))
        .mark_text(color=INK, align=align, dx=dx, dy=14, fontSize=10)
        .encode(x=x, y=y, text="variant:N")
        for is_right, align, dx in sides
        if any((row["x"] > middle) == is_right for row in front)
    ]
    ends = [whiskers] if any("low" in row for row in rows) else []  # of one seed there are none
    return alt.layer(steps, *ends, points, *names).properties(height=HEIGHT), tables


def _apart(front: Rows, rows: Rows, *, is_log: bool) -> Rows:
    """Those of the front whose names do not run into each other; the better keep theirs."""
    measure = math.log if is_log else float
    xs = [measure(row["x"]) for row in rows]
    ys = [
        float(row[key] if key in row else row["value"]) for row in rows for key in ("low", "high")
    ]
    width, height = max(xs) - min(xs) or 1.0, max(ys) - min(ys) or 1.0
    kept: Rows = []
    for row in sorted(front, key=lambda row: -row["x"]):
        near = (
            other
            for other in kept
            if abs(row["value"] - other["value"]) * HEIGHT / height < _LETTERS[1]
            and abs(measure(row["x"]) - measure(other["x"])) * WIDTH / width
            < _LETTERS[0] * max(len(row["variant"]), len(other["variant"]))
        )
        if not any(near):
            kept.append(row)
    return kept


def thresholds(report: Report) -> Figure | None:
    """When each seed reached a threshold, and how many never did."""
    series = series_of(report)
    panels = []
    for place, first in enumerate(report.variants[0].reached):
        if any(v.reached[place].num_reached for v in report.variants):
            title = f"{wording.percent(first.threshold)} valid accuracy"
            panels.append(Panel(title, *_threshold(report, place, series)))
    if not panels:
        return None
    caption = (
        "Training time at the first evaluation with this accuracy, one tick a seed; marker: median "
        "over all seeds, one that never reached it counting as later than any other (no marker "
        "where "
        "half or more never did)."
    )
    return Figure("thresholds", "Time to accuracy", caption, tuple(panels))


def _threshold(report: Report, place: int, series: Series) -> tuple[Any, Tables]:
    tables = Tables()
    labels = {v.key: f"{v.name}: {v.reached[place].text}" for v in report.variants}
    rows = [
        {"label": labels[v.key], "series": series.of(v), "x": t, "text": wording.number(t, 1)}
        for v in report.variants
        for t in v.reached[place].times
    ]
    medians = [
        {
            "label": labels[v.key],
            "series": series.of(v),
            "x": median,
            "text": wording.number(median, 1),
        }
        for v in report.variants
        if math.isfinite(median := v.reached[place].median)
    ]
    # every variant has its line, those that no seed of reached it too
    y = alt.Y("label:N", title=None, sort=list(labels.values()),
              scale=alt.Scale(domain=list(labels.values())),
              axis=alt.Axis(grid=False, ticks=False, domain=False, labelPadding=8))  # fmt: skip
    x = alt.X("x:Q", title="training time (s)", scale=alt.Scale(zero=True))
    ticks = (
        alt.Chart(tables.add(rows))
        .mark_tick(thickness=2, opacity=1)
        .encode(
            x=x,
            y=y,
            color=series.color(used=report.variants),
            tooltip=tooltip(label="variant", text="seconds"),
        )
    )
    points = (
        alt.Chart(tables.add(medians))
        .mark_point(size=90, filled=True, opacity=1)
        .encode(
            x=x,
            y=y,
            color=series.color(used=report.variants),
            shape=series.shape(used=report.variants),
            tooltip=tooltip(label="variant", text="median seconds"),
        )
    )
    layers = [ticks, points] if medians else [ticks]
    return alt.layer(*layers).properties(height=ROW * len(labels) + 10), tables


def _cost_row(report: Report, v: Variant, series: Series, cost: float) -> dict[str, Any]:
    d = report.metric.decimals
    row: dict[str, Any] = {
        "variant": v.name,
        "series": series.of(v),
        "x": cost,
        "value": v.mean,
        "text": wording.number(v.mean, d),
        "interval": f"{wording.number(v.low, d)} to {wording.number(v.high, d)}",
        "params": wording.count(v.num_params),
        "seconds": wording.number(v.seconds, 1),
    }
    return row if math.isnan(v.low) else row | {"low": v.low, "high": v.high}
