"""Learning curves: each run, and the mean over seeds with its band."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import numpy as np

from mnist_seq.report import wording
from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.charts import base
from mnist_seq.report.charts.base import HEIGHT, LINE, axis_title, families, series_of
from mnist_seq.report.charts.figure import Drawing, Figure, Panel, Rows, Tables
from mnist_seq.report.charts.page.multiples import Frame, Series, figure
from mnist_seq.report.read.curves import bare, curve_of, mean_of, thinned
from mnist_seq.report.read.metric import Metric, metric_of
from mnist_seq.report.read.stored_curves import StoredCurve, caption_of, stored_curves
from mnist_seq.report.read.task_record import TaskRecord
from mnist_seq.report.sections import Inputs, Section
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Point, Report, Variant

_FEWEST = 4  # evaluations that show whether a curve still rises
_BANDED = 3  # seeds from which on a mean has a band: that of two seeds would fill the panel
MAX_POINTS = 8_000  # drawn in all: more makes the page heavy, and no eye tells them apart


@dataclass(frozen=True)
class RunCurve:
    """Evaluations of one run, thinned for drawing."""

    run: int  # position in `Report.runs`
    steps: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Rising:
    """A baseline that still got better when its runs ended: by how much, over the last updates."""

    variant: int
    gain: float
    updates: float


@dataclass(frozen=True)
class Curves:
    """Learning curves of one metric.

    Attributes:
        means: by variant, over its finished runs, as far as all of them were evaluated; with the
            interval of the mean from three seeds on.
        every: at most one evaluation in this many is kept for drawing.
        low, high: of all values and intervals, these no further than the metric can go; start, end:
            of all steps. Panels share their axes.
        stored: by variant, what stored seeds gave.
    """

    metric: Metric
    means: Mapping[int, tuple[Point, ...]]
    runs: tuple[RunCurve, ...]
    every: int
    low: float
    high: float
    start: float
    end: float
    rising: tuple[Rising, ...] = ()
    stored: Mapping[int, StoredCurve] = field(default_factory=dict)


class LearningCurves(Section[Curves]):
    """Needs evaluations: of the task's metric on valid, or of train/loss without a valid set."""

    order = 30.0
    figures = ("learning_curves",)
    heading = "Learning curves"
    lead = "The variant in colour, its baseline in grey."

    def compute(self, inputs: Inputs) -> Curves | None:
        """Curves of the runs, and the mean of each variant."""
        return _curves(inputs.groups, inputs.options.level, inputs.task)

    def drawn(self, report: Report, part: Curves) -> Sequence[Drawing]:
        """One panel a variant, with its runs."""
        if all(len(run.steps) == 1 for run in part.runs):
            return []
        runs: dict[int, list[tuple[str, list[tuple[float, float]]]]] = {}
        for curve in part.runs:
            run = report.runs[curve.run]
            about = "" if run.state == "finished" else f", {run.state}"
            points = list(zip(curve.steps, curve.values, strict=True))
            runs.setdefault(run.variant, []).append((f"seed {run.seed}{about}", points))
        past = {key: stored.points for key, stored in part.stored.items()}
        found = {
            key: Series(part.means.get(key, ()), own, past.get(key, ()))
            for key, own in runs.items()
        }
        d = words.decimals_of(report)
        frame = Frame("updates", part.metric.unit, lambda v: fmt.number(v, d), low=part.low,
                      high=part.high)  # fmt: skip
        return [Drawing("Learning curves", figure(report, found, frame), _caption(report, part))]

    def charts(self, report: Report, part: Curves) -> Sequence[Figure]:
        """One panel for each family of variants that differ in their cell alone.

        None where every run was evaluated once: that is no curve.
        """
        return [] if all(len(run.steps) == 1 for run in part.runs) else [_figure(report, part)]


def _curves(groups: Sequence[Group], level: float, task: TaskRecord) -> Curves | None:
    """The mean of a variant ends at the last step that all its finished runs reached."""
    runs = [run for group in groups for run in group.runs]
    names = (f"valid/{task.main}", "train/loss")
    name = next((name for name in names if any(run.evaluations(name) for run in runs)), None)
    if name is None:
        return None
    metric = metric_of(name, task)
    curves = [curve_of(run, metric) for run in runs]
    num_points = sum(len(steps) for steps, _ in curves)
    every = max(1, math.ceil(num_points / MAX_POINTS))
    starts = np.cumsum([0, *(len(group.runs) for group in groups)])
    means, num = {}, {}
    for place, group in enumerate(groups):
        own = curves[starts[place] : starts[place + 1]]
        kept = [c for run, c in zip(group.runs, own, strict=True) if run.state == "finished"]
        if points := mean_of(kept, level):
            means[place], num[place] = tuple(thinned(points, every)), len(kept)
    rising = tuple(_rising(groups, means, metric))
    means = {k: points if num[k] >= _BANDED else bare(points) for k, points in means.items()}
    drawn = [value for _, values in curves for value in values]
    ends = [end for points in means.values() for p in points for end in (p.low, p.high)]
    most = 100.0 if metric.is_share else math.inf
    drawn += [min(max(end, 0.0), most) for end in ends if not math.isnan(end)]
    return Curves(
        metric=metric,
        means=means,
        runs=tuple(
            RunCurve(i, tuple(thinned(steps, every)), tuple(thinned(values, every)))
            for i, (steps, values) in enumerate(curves)
            if steps
        ),
        every=every,
        low=min(drawn),
        high=max(drawn),
        start=min(step for steps, _ in curves for step in steps),
        end=max(step for steps, _ in curves for step in steps),
        rising=rising,
        stored=stored_curves([group.runs for group in groups], metric),
    )


def _rising(
    groups: Sequence[Group], means: Mapping[int, Sequence[Point]], metric: Metric
) -> Iterator[Rising]:
    """Baselines whose mean moved, over the last quarter, by more than half its interval's width."""
    for place, group in enumerate(groups):
        points = means.get(place, ())
        if group.baseline != place or len(points) < _FEWEST:
            continue
        last, before = points[-1], points[-1 - max(1, len(points) // 4)]
        gain = (last.value - before.value) * (1 if metric.higher_is_better else -1)
        if gain > (last.high - last.low) / 2:
            yield Rising(place, gain, last.step - before.step)


def _figure(report: Report, curves: Curves) -> Figure:
    series = series_of(report)
    panels = []
    past = {key: stored.points for key, stored in curves.stored.items()}
    for title, members in families(report):
        tables = Tables()
        mean_rows, past_rows = (_rows(of, members, series) for of in (curves.means, past))
        means, stored = (tables.add(rows) if rows else None for rows in (mean_rows, past_rows))
        points, about = _run_rows(report, curves, members, series)
        if points:
            runs = (tables.add(points), tables.add(about))
            layers = _layers(means, stored, runs, curves, series, members)
            panels.append(Panel(title, alt.layer(*layers).properties(height=HEIGHT), tables))
    caption = _caption(report, curves)
    return Figure("learning_curves", "Learning curves", caption, tuple(panels))


def _caption(report: Report, curves: Curves) -> str:
    thin = "" if curves.every == 1 else f" Drawn at one evaluation in {curves.every}."
    within = ", within 0 to 100 %" if curves.metric.is_share else ""
    return (
        f"{curves.metric.label.capitalize()} after each evaluation. Bold: mean over the finished "
        "seeds, up to the last step that all of them reached; band: "
        f"{wording.percent(report.level)} t-interval of that mean{within}, from 3 seeds on; thin: "
        f"single runs, diverged ones among them.{thin}{caption_of(curves.stored)}"
    )


def _layers(
    means: Any,
    stored: Any,
    runs: tuple[Any, Any],
    curves: Curves,
    series: base.Series,
    members: list[Variant],
) -> list[Any]:
    x, y = _axes(curves)
    color = _color(series, members)
    lines = _of_runs(runs).mark_line(strokeWidth=0.8, strokeOpacity=0.35)
    thin = lines.encode(x=x, y=y, color=color, detail="run:N")
    low = alt.Y("low:Q", title=_label(curves), scale=_scale(curves))
    behind = []
    if stored is not None:
        past = alt.Chart(stored).encode(x=x, color=color)
        behind = [
            past.mark_area(fillOpacity=0.09, clip=True).encode(y=low, y2="high:Q"),
            past.mark_line(strokeWidth=1.5, strokeDash=[1, 4], clip=True).encode(y=y),
        ]
    if means is None:
        return [*behind, thin]
    mean = alt.Chart(means).encode(x=x, color=color)
    bold = mean.mark_line(strokeWidth=2.5)
    return [
        *behind,
        mean.mark_area(fillOpacity=0.18).encode(y=low, y2="high:Q"),
        thin,
        bold.encode(y=y, strokeDash=series.dash(used=members, **LINE)),
    ]


def _color(series: base.Series, members: list[Variant]) -> alt.Color:
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
    return axis_title(curves.metric.label, curves.metric.unit)


def _rows(
    means: Mapping[int, Sequence[Point]], members: list[Variant], series: base.Series
) -> Rows:
    return [
        {"step": p.step, "value": _rounded(p.value), "series": series.of(v)}
        | ({"low": _rounded(p.low), "high": _rounded(p.high)} if p.low == p.low else {})
        for v in members
        for p in means.get(v.key, ())
    ]


def _run_rows(
    report: Report, curves: Curves, members: list[Variant], series: base.Series
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
        about.append({"run": curve.run, "series": series.of(v), "variant": v.label,
                      "seed": str(run.seed), "state": run.state})  # fmt: skip
        points += [
            {"run": curve.run, "step": s, "value": _rounded(y)}
            for s, y in zip(curve.steps, curve.values, strict=True)
        ]
    return points, about


def _rounded(value: float) -> float:
    return round(value, 4)  # finer than a pixel; the page stays small
