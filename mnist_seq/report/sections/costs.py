"""What the metric costs: parameters, state, multiply-adds and seconds, with the Pareto fronts."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import numpy as np

from mnist_seq.report import wording
from mnist_seq.report.analyse.budgets import unlike_kernels
from mnist_seq.report.charts.base import (
    HEIGHT,
    INK,
    WIDTH,
    Series,
    axis_title,
    series_of,
    spaced,
    tooltip,
)
from mnist_seq.report.charts.figure import Drawing, Figure, Panel, Rows, Tables
from mnist_seq.report.charts.page import scatter
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.texts.cautions import means_text
from mnist_seq.report.value import Report, Variant
from mnist_seq.stats import pareto_front

_ALL_NAMED = 12  # variants up to which each has its name in the page's charts
_LETTERS = (6, 13)  # width and height of a letter of a name, in pixels


# Field of a variant -> title of a panel, title of its axis, format of its ticks
_COSTS = {
    "num_params": ("parameters", "trained parameters", "~s"),
    "state_size": ("state", "numbers carried from step to step", "~s"),
    "multiply_adds": ("multiply-adds", "multiply-adds a time step", "~s"),
    "seconds": ("training time", "training time (s)", "~r"),
}


@dataclass(frozen=True)
class Fronts:
    """Keys of the variants that no other beats in the mean at equal or lower cost.

    Attributes:
        by_cost: by the field of the cost. Seconds are absent where they do not compare, state and
            multiply-adds where a run does not say them or all variants have the same.
        kernels: that the seconds are of different kinds of kernels; "" if not.
        drawn: the same by the costs of the page's charts.
    """

    by_cost: Mapping[str, frozenset[int]]
    kernels: str = ""
    drawn: Mapping[str, frozenset[int]] = field(default_factory=dict)


class Costs(Section[Fronts]):
    """Needs a variant with a value."""

    order = 40.0
    figures = ("costs",)
    heading = "Cost"
    lead = "What the metric is paid with."

    def compute(self, inputs: Inputs) -> Fronts | None:
        """The Pareto fronts of the means."""
        known = [v for v in inputs.variants if v.n]
        if not known:
            return None
        sign = 1 if inputs.metric.higher_is_better else -1
        value = np.array([sign * v.mean for v in known])

        def front(cost: Sequence[float]) -> frozenset[int]:
            is_on_it = pareto_front(np.array(cost), value)
            return frozenset(v.key for v, is_best in zip(known, is_on_it, strict=True) if is_best)

        found = {name: [float(getattr(v, name)) for v in known] for name in _COSTS}
        for name in ("state_size", "multiply_adds"):
            if len(set(found[name])) == 1 or any(map(math.isnan, found[name])):
                del found[name]
        if inputs.seconds_differ:
            del found["seconds"]
        labels = [v.label for v in inputs.variants]
        kernels = unlike_kernels(inputs.groups, labels) if "seconds" in found else ""
        return Fronts(
            {name: front(costs) for name, costs in found.items()},
            kernels,
            {title: front(costs) for title, costs in _drawn(known, found).items()},
        )

    def drawn(self, report: Report, part: Fronts) -> Sequence[Drawing]:
        """The metric against each cost, each variant with its name."""
        known = [v for v in report.variants if v.n]
        charts = "".join(
            f"<div><h3>{report.metric.label.capitalize()} against {title}</h3>"
            f"{_scatter(report, known, values, title, part.drawn.get(title, frozenset()))}</div>"
            for title, values in _drawn(known, part.by_cost).items()
        )
        few = len(known) <= scatter.WHISKERS
        whiskers = (
            f"; whiskers: {fmt.percent(report.level)} t-interval, cut where it would hide the means"
            if few
            else ""
        )
        lines = " A line joins what differs in its size alone." if _is_joined(report) else ""
        caption = (
            f"Mean over seeds{whiskers}. An axis is logarithmic where its values span a factor of "
            f"4. {_named(known)}{lines}"
            f"{means_text(report.variants)} {part.kernels}"
        ).strip()
        body = f'<div class="pair">{charts}</div>' if charts else ""
        return [Drawing("Cost", body, caption)]

    def tables(self, report: Report, part: Fronts) -> Sequence[Table]:
        """One row a variant, with every cost that is drawn."""
        known = [v for v in report.variants if v.n]
        costs = _drawn(known, part.by_cost)
        d = words.decimals_of(report)
        rows = tuple(
            (v.label, fmt.number(v.mean, d), *(_size(values[i]) for values in costs.values()))
            for i, v in enumerate(known)
        )
        header = ("variant", report.metric.title, *costs)
        return [Table("Costs", header, rows, formats=("html",))] if costs else []

    def charts(self, report: Report, part: Fronts) -> Sequence[Figure]:
        """The metric against each cost."""
        known = [v for v in report.variants if v.n]
        panels = [
            Panel(f"against {_COSTS[name][0]}", *_cost(report, known, on_front, name))
            for name, on_front in part.by_cost.items()
        ]
        caption = (
            f"Mean over seeds; whiskers: {wording.percent(report.level)} t-interval. Dashed line: "
            "the Pareto front of the means, the variants that no other beats at equal or lower "
            "cost."
        )
        caption = f"{caption}{means_text(report.variants)} {part.kernels}".strip()
        return [Figure("costs", "What it costs", caption, tuple(panels))]


def _drawn(known: Sequence[Variant], by_cost: Collection[str]) -> dict[str, list[float]]:
    """The costs of the page's charts by their titles: those that all variants have, and differ."""
    found = {
        _COSTS[name][1]: [float(getattr(v, name)) for v in known]
        for name in by_cost
        if name != "seconds"
    }
    updates = [v.updates for v in known]
    if len(set(updates)) > 1:
        found["updates"] = updates
    if "seconds" in by_cost and all(updates):
        found["milliseconds an update"] = [1000 * v.seconds / v.updates for v in known]
    return {
        title: values
        for title, values in found.items()
        if all(map(math.isfinite, values)) and (len(set(values)) > 1 or len(known) == 1)
    }


def _size(value: float) -> str:
    return fmt.count(value) if value == round(value) else fmt.significant(value, 3)


def _named(known: Sequence[Variant]) -> str:
    """Which marks have a name beside them."""
    if len(known) <= _ALL_NAMED:
        return "A name that finds no free place is left out; pointing at a mark shows it."
    return (
        "Named are the variants that no other beats at equal or lower cost, and the baselines "
        "where there is room; pointing at a mark shows its name and its numbers."
    )


def _is_joined(report: Report) -> bool:
    return len(words.families(report)) > 1


def _scatter(
    report: Report,
    known: list[Variant],
    values: list[float],
    title: str,
    on_front: frozenset[int],
) -> str:
    """The chart of one cost."""
    shorts = words.short_names(report, known)
    are_few = len(known) <= _ALL_NAMED
    d, names, metric = words.decimals_of(report), words.labels(report), report.metric
    families = {v.key: f for f in words.families(report) for v in f.variants}
    items = [
        scatter.Item(
            x=x,
            y=v.mean,
            low=v.low,
            high=v.high,
            name=shorts[v.key] if are_few or v.key in on_front or v.is_baseline else "",
            full=f"{names[v.key]}: {fmt.with_unit(fmt.number(v.mean, d), metric.unit)} at "
            f"{fmt.significant(x, 3)}",
            kind=words.kind(v),
            line=families[v.key].line(v) if _is_joined(report) else "",
            is_first=v.key in on_front,
        )
        for v, x in zip(known, values, strict=True)
    ]
    said = "; ".join(item.full for item in items[:20])
    more = f"; and {len(items) - 20} more" if items[20:] else ""
    return scatter.chart(
        items,
        x_text=fmt.short_count,
        unit=metric.unit,
        description=f"{metric.label} against {title}: {said}{more}",
    )


def _cost(
    report: Report, known: list[Variant], on_front: frozenset[int], name: str
) -> tuple[Any, Tables]:
    _, title, ticks = _COSTS[name]
    tables, series = Tables(), series_of(report)
    rows = [_cost_row(report, v, series, getattr(v, name)) for v in known]
    front = [row for row, v in zip(rows, known, strict=True) if v.key in on_front]
    label = axis_title(report.metric.label, report.metric.unit)
    found = [getattr(v, name) for v in known]
    is_log = min(found) > 0 and max(found) >= 4 * min(found)
    scale = spaced(is_log=is_log, padding=28)
    axis = alt.Axis(tickCount=4, grid=False, labelOverlap=True, format=ticks)
    x = alt.X("x:Q", title=title, axis=axis, scale=scale)
    y = alt.Y("value:Q", title=label, scale=alt.Scale(zero=False, padding=14))
    base = alt.Chart(tables.add(rows)).encode(x=x)
    whiskers = base.mark_rule(strokeWidth=1.5).encode(
        y=alt.Y("low:Q", title=label), y2="high:Q", color=series.color(used=known)
    )
    about = tooltip(variant="variant", text=label, interval="interval", params="parameters",
                    state="state", products="multiply-adds", seconds="seconds")  # fmt: skip
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


def _cost_row(report: Report, v: Variant, series: Series, cost: float) -> dict[str, Any]:
    d = report.metric.decimals
    row: dict[str, Any] = {
        "variant": v.label,
        "series": series.of(v),
        "x": cost,
        "value": v.mean,
        "text": wording.number(v.mean, d),
        "interval": wording.span(v.low, v.high, d),
        "params": wording.count(v.num_params),
        "state": wording.count(v.state_size),
        "products": wording.count(v.multiply_adds),
        "seconds": wording.number(v.seconds, 1),
    }
    return row if math.isnan(v.low) else row | {"low": v.low, "high": v.high}
