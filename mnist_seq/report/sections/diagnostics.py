"""Gradients along the sequence, gates and states, as `training.diagnostics` logs them."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_seq.report import wording
from mnist_seq.report.charts.base import families, series_of
from mnist_seq.report.charts.figure import Drawing, Figure, Panel, Tables
from mnist_seq.report.charts.lines import Axes, ends_of, lines, rows_of
from mnist_seq.report.charts.page.multiples import Frame, Series, figure
from mnist_seq.report.read.run import Run, is_number
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.texts import fmt
from mnist_seq.report.value import Point, Report, Variant

_GRADIENT = re.compile(r"gradient/t(\d+)")
_LOGGED = ("gradient/", "state/", "gates/")  # beginnings of the names of all that is logged
_SEEDS = "lines: medians over seeds; bands: the smallest and the largest seed"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Diagnosed:
    """What the diagnostics of one variant's finished runs show: medians over n seeds.

    Attributes:
        num_not_finite: of the n, runs that logged a value that is not finite; a median over it is
            NaN, here and below.
        gradient: norm of d loss / d state by time step, at the last evaluation; low and high are
            the smallest and largest seed's, here and below.
        saturated: share of gate values near 0 or 1 by training step, in percent; empty where the
            cell has no gates.
        drift: norm of h after the last time step over that after the first, by training step.
        first, last: norms of h after the first and the last time step, at the last evaluation.
    """

    variant: int
    n: int
    num_not_finite: int
    gradient: tuple[Point, ...]
    saturated: tuple[Point, ...]
    drift: tuple[Point, ...]
    first: float
    last: float

    @property
    def ends(self) -> tuple[float, float]:
        """Gradient at the first and at the last time step."""
        if not self.gradient:
            return math.nan, math.nan
        return self.gradient[0].value, self.gradient[-1].value

    @property
    def reach(self) -> float:
        """Gradient at the first time step over that at the last: how far back learning reaches."""
        start, end = self.ends
        return start / end if end else math.nan


@dataclass(frozen=True)
class Findings:
    """The variants of which at least one finished run has diagnostics."""

    variants: tuple[Diagnosed, ...]


class Diagnostics(Section[Findings]):
    """Needs runs of `training.diagnostics=gradients`."""

    order = 90.0
    figures = ("gradients", "states")
    logged = ("gradient/t000", "gates/saturated", "state/last")
    heading = "Gradients, gates and states"
    lead = "A line that falls to the left is a gradient that vanishes on its way back."

    def compute(self, inputs: Inputs) -> Findings | None:
        """Medians over the seeds of each variant."""
        found = []
        for place, group in enumerate(inputs.groups):
            rows = [own for run in group.finished if (own := _logged_rows(run))]
            if rows:
                found.append(_diagnosed(place, rows))
        return Findings(tuple(found)) if found else None

    def tables(self, report: Report, part: Findings) -> Sequence[Table]:
        """What they showed last."""
        rows = tuple(
            (report.variants[d.variant].label, str(d.n), *map(wording.small, (*d.ends, d.reach)),
             wording.number(d.saturated[-1].value, 1) if d.saturated else wording.NONE,
             wording.number(d.first, 2), wording.number(d.last, 2),
             wording.number(d.drift[-1].value, 2) if d.drift else wording.NONE)
            for d in part.variants
        )  # fmt: skip
        header = ("variant", "n", "gradient at the first step", "at the last", "first / last",
                  "saturated gates, %", "norm of h, first step", "last",
                  "last / first")  # fmt: skip
        caption = (
            "At the last evaluation, on 64 training examples at most, medians over seeds: norm of "
            "the gradient of the loss with respect to the state at the first and the last time "
            "step; share of gate values nearer than 0.05 to 0 or 1; norm of the hidden state."
        )
        return [Table("Diagnostics", header, rows, caption + _not_finite(part, report.variants))]

    def drawn(self, report: Report, part: Findings) -> Sequence[Drawing]:
        """Gradients by time step; saturated gates and the hidden norm by update."""
        lost = _not_finite(part, report.variants)
        seeds = "Line: median over seeds; band: smallest to largest seed."
        gradient = (
            "Norm of the gradient of the loss with respect to the state after each time step, at "
            f"the last evaluation, on 64 training examples at most; logarithmic. {seeds}{lost}"
        )
        gates = f"Share of gate values nearer than 0.05 to 0 or 1, in cells with gates. {seeds}"
        drift = (
            "Norm of the hidden state after the last time step over that after the first; "
            f"logarithmic. {seeds}"
        )
        by_step = Frame("steps", "", fmt.significant, is_log_y=True)
        by_update = Frame("updates", "%", lambda x: fmt.number(x, 0), low=0, high=100)
        norms = Frame("updates", "", fmt.significant, is_log_y=True)
        return [
            Drawing("Gradients along the sequence",
                    _multiples(report, part, lambda d: d.gradient, by_step), gradient),
            Drawing("Saturated gates", _multiples(report, part, lambda d: d.saturated, by_update),
                    gates),
            Drawing("Norm of the hidden state", _multiples(report, part, lambda d: d.drift, norms),
                    drift),
        ]  # fmt: skip

    def charts(self, report: Report, part: Findings) -> Sequence[Figure]:
        """Gradients by time step; saturation of the gates and drift of the hidden norm."""
        return [_gradients_figure(report, part), _states_figure(report, part)]


def _multiples(
    report: Report, part: Findings, points: Callable[[Diagnosed], Sequence[Point]], frame: Frame
) -> str:
    """Panels of the variants that have the values; "" where no curve has two points."""
    found = {
        d.variant: Series([p for p in points(d) if p.value > 0 or not frame.is_log_y])
        for d in part.variants
    }
    found = {key: series for key, series in found.items() if series.points}
    if not any(len(series.points) > 1 for series in found.values()):
        return ""
    return figure(report, found, frame)


def _gradients_figure(report: Report, part: Findings) -> Figure:
    """The gradient that arrives at each time step, one panel for each family of variants."""
    axes = Axes("time step", "gradient norm", is_log_y=True)
    panels = _panels(report, part, lambda found: found.gradient, axes)
    caption = (
        "Norm of the gradient of the loss with respect to the state after each time step, at the "
        f"last evaluation, on 64 training examples at most; {_SEEDS}. A line that falls to the "
        "left is a gradient that vanishes on its way back; 0 has no place on this axis."
        + _not_finite(part, report.variants)
    )
    return Figure("gradients", "Gradients along the sequence", caption, tuple(panels))


def _states_figure(report: Report, part: Findings) -> Figure:
    """Saturation of the gates and drift of the hidden norm while the runs train."""
    gates = Axes("training (steps)", "saturated gates (%)")
    norms = Axes("training (steps)", "norm of h, last / first step", is_log_y=True)
    panels = [
        *_panels(report, part, lambda found: found.saturated, gates),
        *_panels(report, part, lambda found: found.drift, norms),
    ]
    caption = (
        "Share of gate values nearer than 0.05 to 0 or 1 (cells with gates), and the norm of the "
        f"hidden state after the last time step over that after the first; {_SEEDS}."
        + _not_finite(part, report.variants)
    )
    return Figure("states", "Gates and states", caption, tuple(panels))


def _panels(
    report: Report, part: Findings, points: Callable[[Diagnosed], Sequence[Point]], axes: Axes
) -> list[Panel]:
    """One panel for each family of variants, all on one scale."""
    series = series_of(report)
    names = {v.key: v.label for v in report.variants}
    found = {
        d.variant: rows_of(
            [p for p in points(d) if math.isfinite(p.value) and (p.low > 0 or not axes.is_log_y)],
            series.of(report.variants[d.variant]),
            names[d.variant],
        )
        for d in part.variants
    }
    ends = ends_of([row for rows in found.values() for row in rows])
    panels = []
    for title, members in families(report):
        here = [v for v in members if found.get(v.key)]
        if here:
            tables = Tables()
            rows = [row for v in here for row in found[v.key]]
            panels.append(Panel(title, lines(tables, rows, series, here, axes, ends), tables))
    return panels


def _not_finite(part: Findings, variants: Sequence[Variant]) -> str:
    """A sentence on logged values that have no median; "" where all of them are finite."""
    found = [
        f"{variants[d.variant].label} ({d.num_not_finite} of {d.n} runs)"
        for d in part.variants
        if d.num_not_finite
    ]
    if not found:
        return ""
    return f" Values were logged that are not finite, and have no median: {wording.listed(found)}."


def _diagnosed(place: int, runs: Sequence[Sequence[Row]]) -> Diagnosed:
    firsts = [_by_step(rows, "state/first") for rows in runs]
    lasts = [_by_step(rows, "state/last") for rows in runs]
    drifts = [
        {step: last[step] / first[step] for step in last if first.get(step)}
        for first, last in zip(firsts, lasts, strict=True)
    ]
    shares = [
        {step: 100 * share for step, share in _by_step(rows, "gates/saturated").items()}
        for rows in runs
    ]
    return Diagnosed(
        variant=place,
        n=len(runs),
        num_not_finite=sum(any(map(_is_odd, rows)) for rows in runs),
        gradient=_points([_gradients(rows[-1]) for rows in runs]),
        saturated=_points(shares),
        drift=_points(drifts),
        first=_median([_latest(values) for values in firsts]),
        last=_median([_latest(values) for values in lasts]),
    )


def _logged_rows(run: Run) -> list[Row]:
    return [row for row in run.history if "state/last" in row]


def _is_odd(row: Row) -> bool:
    """Whether a logged value is not finite, which JSON can only write as null."""
    return any(name.startswith(_LOGGED) and not is_number(value) for name, value in row.items())


def _by_step(rows: Sequence[Row], name: str) -> dict[float, float]:
    return {float(row["step"]): _number(row[name]) for row in rows if name in row}


def _gradients(row: Row) -> dict[float, float]:
    """Norms by time step, counted from 1."""
    names = ((_GRADIENT.fullmatch(name), value) for name, value in row.items())
    return {float(match[1]) + 1: _number(value) for match, value in names if match}


def _number(value: Any) -> float:
    return float(value) if is_number(value) else math.nan


def _points(curves: Sequence[Mapping[float, float]]) -> tuple[Point, ...]:
    """Median, smallest and largest wherever all runs have a value, NaN where one is not finite."""
    points = []
    for x in curves[0]:
        if all(x in other for other in curves):
            values = [own[x] for own in curves]
            ends = (math.nan, math.nan) if _is_lost(values) else (min(values), max(values))
            points.append(Point(x, _median(values), *ends))
    return tuple(points)


def _median(values: Sequence[float]) -> float:
    return math.nan if _is_lost(values) else float(np.median(values))


def _is_lost(values: Sequence[float]) -> bool:
    return any(map(math.isnan, values))


def _latest(values: Mapping[float, float]) -> float:
    return values[max(values)] if values else math.nan
