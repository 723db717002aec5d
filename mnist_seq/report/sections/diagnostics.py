"""Gradients along the sequence, gates and states, as `training.diagnostics` logs them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mnist_seq.report import wording
from mnist_seq.report.charts.figure import Drawing, Figure
from mnist_seq.report.charts.lines import SEEDS, Axes, panels_of
from mnist_seq.report.charts.page.multiples import Frame, curves
from mnist_seq.report.read.logged import (
    Row,
    by_step,
    is_odd,
    latest,
    median,
    not_finite,
    number,
    over_seeds,
)
from mnist_seq.report.read.run import Run
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.texts import fmt
from mnist_seq.report.value import Point, Report, Variant

_GRADIENT = re.compile(r"gradient/t(\d+)")
_LOGGED = ("gradient/", "state/", "gates/")  # beginnings of the names of all that is logged


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
        by_time = Frame("steps", "", fmt.significant, is_log_y=True)
        by_update = Frame("updates", "%", lambda x: fmt.number(x, 0), low=0, high=100)
        norms = Frame("updates", "", fmt.significant, is_log_y=True)
        return [
            Drawing("Gradients along the sequence",
                    curves(report, _by_variant(part, "gradient"), by_time), gradient),
            Drawing("Saturated gates", curves(report, _by_variant(part, "saturated"), by_update),
                    gates),
            Drawing("Norm of the hidden state", curves(report, _by_variant(part, "drift"), norms),
                    drift),
        ]  # fmt: skip

    def charts(self, report: Report, part: Findings) -> Sequence[Figure]:
        """Gradients by time step; saturation of the gates and drift of the hidden norm."""
        return [_gradients_figure(report, part), _states_figure(report, part)]


def _by_variant(part: Findings, name: str) -> dict[int, Sequence[Point]]:
    return {d.variant: getattr(d, name) for d in part.variants}


def _gradients_figure(report: Report, part: Findings) -> Figure:
    """The gradient that arrives at each time step, one panel for each family of variants."""
    axes = Axes("time step", "gradient norm", is_log_y=True)
    panels = panels_of(report, _by_variant(part, "gradient"), axes)
    caption = (
        "Norm of the gradient of the loss with respect to the state after each time step, at the "
        f"last evaluation, on 64 training examples at most; {SEEDS}. A line that falls to the "
        "left is a gradient that vanishes on its way back; 0 has no place on this axis."
        + _not_finite(part, report.variants)
    )
    return Figure("gradients", "Gradients along the sequence", caption, panels)


def _states_figure(report: Report, part: Findings) -> Figure:
    """Saturation of the gates and drift of the hidden norm while the runs train."""
    gates = Axes("training (steps)", "saturated gates (%)")
    norms = Axes("training (steps)", "norm of h, last / first step", is_log_y=True)
    panels = (
        *panels_of(report, _by_variant(part, "saturated"), gates),
        *panels_of(report, _by_variant(part, "drift"), norms),
    )
    caption = (
        "Share of gate values nearer than 0.05 to 0 or 1 (cells with gates), and the norm of the "
        f"hidden state after the last time step over that after the first; {SEEDS}."
        + _not_finite(part, report.variants)
    )
    return Figure("states", "Gates and states", caption, panels)


def _not_finite(part: Findings, variants: Sequence[Variant]) -> str:
    return not_finite((variants[d.variant].label, d.num_not_finite, d.n) for d in part.variants)


def _diagnosed(place: int, runs: Sequence[Sequence[Row]]) -> Diagnosed:
    firsts = [by_step(rows, "state/first") for rows in runs]
    lasts = [by_step(rows, "state/last") for rows in runs]
    drifts = [
        {step: last[step] / first[step] for step in last if first.get(step)}
        for first, last in zip(firsts, lasts, strict=True)
    ]
    shares = [
        {step: 100 * share for step, share in by_step(rows, "gates/saturated").items()}
        for rows in runs
    ]
    return Diagnosed(
        variant=place,
        n=len(runs),
        num_not_finite=sum(any(is_odd(row, _LOGGED) for row in rows) for rows in runs),
        gradient=over_seeds([_gradients(rows[-1]) for rows in runs]),
        saturated=over_seeds(shares),
        drift=over_seeds(drifts),
        first=median([latest(values) for values in firsts]),
        last=median([latest(values) for values in lasts]),
    )


def _logged_rows(run: Run) -> list[Row]:
    return [row for row in run.history if "state/last" in row]


def _gradients(row: Row) -> dict[float, float]:
    """Norms by time step, counted from 1."""
    names = ((_GRADIENT.fullmatch(name), value) for name, value in row.items())
    return {float(match[1]) + 1: number(value) for match, value in names if match}
