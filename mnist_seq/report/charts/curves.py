"""Learning curves: each run, and the mean over seeds with its band."""

from typing import Any

import altair as alt

from mnist_seq.report import wording
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
)
from mnist_seq.report.evidence import Curves
from mnist_seq.report.value import Report, Variant

_SAID = ("variant", "seed", "step", "state")  # of the run that a reader points at


def learning_curves(report: Report) -> Figure | None:
    """One panel for each family of variants that differ in their cell alone.

    On a page the run that a reader points at stands out, and says which it is. None where every
    run was evaluated once: that is no curve.
    """
    curves = report.curves
    if curves is None or all(len(run.steps) == 1 for run in curves.runs):
        return None
    series = series_of(report)
    panels = []
    for title, members in families(report):
        tables = Tables()
        mean_rows = _mean_rows(curves, members, series)
        means = tables.add(mean_rows) if mean_rows else None
        points, about = _run_rows(report, curves, members, series)
        if points:
            runs = (tables.add(points), tables.add(about))
            layers = _layers(means, runs, curves, series, members)
            live = alt.layer(*layers, *_pointed_at(runs, curves, series, members)).properties(
                height=HEIGHT
            )
            panels.append(Panel(title, alt.layer(*layers).properties(height=HEIGHT), tables, live))
    thin = "" if curves.every == 1 else f" Drawn at one evaluation in {curves.every}."
    within = ", within 0 to 100 %" if curves.unit == "%" else ""
    caption = (
        f"{curves.label.capitalize()} after each evaluation. Bold: mean over the finished seeds, "
        f"as far as all of them go; band: {wording.percent(report.level)} t-interval of that "
        f"mean{within}; thin: single runs, diverged ones among them.{thin}"
    )
    return Figure("learning_curves", "Learning curves", caption, tuple(panels))


def _layers(
    means: Any, runs: tuple[Any, Any], curves: Curves, series: Series, members: list[Variant]
) -> list[Any]:
    x, y = _axes(curves)
    color = _color(series, members)
    lines = _of_runs(runs).mark_line(strokeWidth=0.8, strokeOpacity=0.35)
    thin = lines.encode(x=x, y=y, color=color, detail="run:N")
    if means is None:
        return [thin]
    mean = alt.Chart(means).encode(x=x, color=color)
    low = alt.Y("low:Q", title=_label(curves), scale=_scale(curves))
    bold = mean.mark_line(strokeWidth=2.5)
    return [
        mean.mark_area(fillOpacity=0.18).encode(y=low, y2="high:Q"),
        thin,
        bold.encode(y=y, strokeDash=series.dash(used=members, **LINE)),
    ]


def _pointed_at(
    runs: tuple[Any, Any], curves: Curves, series: Series, members: list[Variant]
) -> list[Any]:
    """The run next to the pointer, drawn bold, and marks that no one sees to catch the pointer."""
    x, y = _axes(curves)
    hover = alt.selection_point(
        on="pointerover",
        clear="pointerout",
        nearest=True,
        fields=["run"],
        empty=False,
        name="hover",
    )
    # the tooltip of the area around a point, whose datum is that point; written out, since
    # Vega-Lite 6.4 looks for texts in the area itself
    said = [f"{name}: ''+datum.datum.{name}" for name in _SAID]
    value = f"'{_label(curves)}': format(datum.datum.value, '.{curves.decimals}f')"
    about = alt.ExprRef(f"datum.datum ? {{{', '.join([*said, value])}}} : null")
    base = _of_runs(runs).encode(x=x, y=y)
    near = base.mark_point(opacity=0, size=60, tooltip=about).add_params(hover)
    bold = base.mark_line(strokeWidth=2).encode(detail="run:N", color=_color(series, members))
    return [bold.transform_filter(hover), near]


def _color(series: Series, members: list[Variant]) -> alt.Color:
    return series.color(used=members, **LINE)


def _of_runs(runs: tuple[Any, Any]) -> Any:
    """A chart of the runs' evaluations, each with what is said of its run."""
    points, about = runs
    fields = ["series", "variant", "seed", "state"]
    return alt.Chart(points).transform_lookup("run", alt.LookupData(about, "run", fields))


def _axes(curves: Curves) -> tuple[Any, Any]:
    x = alt.X("step:Q", title="training (steps)", axis=alt.Axis(tickCount=5, format="~s"),
              scale=alt.Scale(domain=[curves.start, curves.end]))  # fmt: skip
    return x, alt.Y("value:Q", title=_label(curves), scale=_scale(curves))


def _scale(curves: Curves) -> alt.Scale:
    return alt.Scale(domain=[curves.low, curves.high], nice=True, zero=False, clamp=True)


def _label(curves: Curves) -> str:
    return axis_title(curves.label, curves.unit)


def _mean_rows(curves: Curves, members: list[Variant], series: Series) -> Rows:
    return [
        {"step": p.step, "value": _rounded(p.value), "series": series.of(v)}
        | ({"low": _rounded(p.low), "high": _rounded(p.high)} if p.low == p.low else {})
        for v in members
        for p in curves.means.get(v.key, ())
    ]


def _run_rows(
    report: Report, curves: Curves, members: list[Variant], series: Series
) -> tuple[Rows, Rows]:
    """Evaluations by run, and what is said of each run."""
    by_key = {v.key: v for v in members}
    points: Rows = []
    about: Rows = []
    for curve in curves.runs:
        run = report.runs[curve.run]
        if run.variant not in by_key:
            continue
        v = by_key[run.variant]
        about.append({"run": curve.run, "series": series.of(v), "variant": v.name,
                      "seed": str(run.seed), "state": run.state})  # fmt: skip
        points += [
            {"run": curve.run, "step": s, "value": _rounded(y)}
            for s, y in zip(curve.steps, curve.values, strict=True)
        ]
    return points, about


def _rounded(value: float) -> float:
    return round(value, 4)  # finer than a pixel; the page stays small
