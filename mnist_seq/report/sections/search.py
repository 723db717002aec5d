"""What a search would have ended with after fewer trials."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mnist_seq.report import wording
from mnist_seq.report.analyse.searches import Subject
from mnist_seq.report.charts import style
from mnist_seq.report.charts.base import Series, axis_title
from mnist_seq.report.charts.figure import Drawing, Figure, Panel, Tables
from mnist_seq.report.charts.lines import Axes, ends_of, lines, rows_of
from mnist_seq.report.charts.page.multiples import Frame, side_by_side
from mnist_seq.report.charts.page.multiples import Series as Line
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.texts import fmt
from mnist_seq.report.value import Point, Report
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import VariantKey, variant_key
from mnist_seq.stats import best_sd, expected_best

MIN_TRIALS = 5  # fewer are no search
_BUDGETS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class SearchCurve:
    """What a search of n trials would have ended with, for n = 1 to `num_trials`.

    Attributes:
        best: `step` is n, `value` the expected best, low and high one standard deviation of the
            best around it, no further than the values that were seen.
        sampler: of the search; "grid" where the values were listed by hand.
        num_diverged: trials that count as a guess; num_stopped: that count with their last
            evaluation; num_left_out: without any value.
        winner: key of the variant that was best, of the trials that ended; winner_value: its mean.
    """

    name: str
    cell: str
    sampler: str
    num_trials: int
    num_diverged: int
    num_stopped: int
    num_left_out: int
    best: tuple[Point, ...]
    winner: int | None = None
    winner_value: float = math.nan

    @property
    def about(self) -> str:
        """How it came about: "random, 30 trials, 2 diverged"."""
        counts = {"diverged": self.num_diverged, "stopped early": self.num_stopped,
                  "left out": self.num_left_out}  # fmt: skip
        parts = [f"{number} {what}" for what, number in counts.items() if number]
        return ", ".join([self.sampler, f"{self.num_trials} trials", *parts])


@dataclass(frozen=True)
class Searches:
    """Searches for the best hyper-parameters, by the validation metric that they looked at.

    Attributes:
        budgets: numbers of trials that tables show.
        assumption: what the numbers rest on, and whether the searches meet it.
    """

    selector: Metric
    curves: tuple[SearchCurve, ...]
    budgets: tuple[int, ...]
    assumption: str


class Search(Section[Searches]):
    """Needs a search of at least MIN_TRIALS trials."""

    order = 70.0
    figures = ("search",)
    heading = "What more trials bring"
    lead = "The best value that a search of so many trials ends with, on validation."

    def compute(self, inputs: Inputs) -> Searches | None:
        """Expected best values of the searches that have enough trials."""
        selector = inputs.selector
        places = {variant_key(g.variant): place for place, g in enumerate(inputs.groups)}
        curves = [
            _curve(s, selector, places) for s in inputs.subjects if len(s.trials) >= MIN_TRIALS
        ]
        if not curves:
            return None
        ends = {curve.num_trials for curve in curves}
        return Searches(
            selector=selector,
            curves=tuple(curves),
            budgets=tuple(sorted({n for n in _BUDGETS if n <= max(ends)} | ends)),
            assumption=_assumption([curve.sampler for curve in curves]),
        )

    def tables(self, report: Report, part: Searches) -> Sequence[Table]:
        """Expected best value against the number of trials."""
        d = part.selector.decimals
        rows = []
        for curve in part.curves:
            points = [curve.best[n - 1] if n <= curve.num_trials else None for n in part.budgets]
            cells = [
                f"{wording.number(p.value, d)} ({wording.span(p.low, p.high, d)})"
                if p
                else wording.NONE
                for p in points
            ]
            rows.append((curve.name, curve.about, *cells))
        trials = tuple(plural(n, "trial") for n in part.budgets)
        caption = (
            "Mean best of so many trials, and one standard deviation of it to either side, after "
            f"Dodge et al. 2019 (biased estimator, arXiv:1909.03004); {part.assumption}."
        )
        title = f"Expected best {part.selector.title} of a search"
        header = ("search", "sampler", *trials)
        return [Table(title, header, tuple(rows), caption, wrap=("sampler",))]

    def drawn(self, report: Report, part: Searches) -> Sequence[Drawing]:
        """One panel a search."""
        d = part.selector.decimals
        frame = Frame("trials", part.selector.unit, lambda v: fmt.number(v, d), is_log_x=True)
        named = [(curve.name, curve.about, Line(curve.best)) for curve in part.curves]
        return [Drawing("What more trials bring", side_by_side(named, frame), _caption(part))]

    def charts(self, report: Report, part: Searches) -> Sequence[Figure]:
        """Expected best value on validation against the number of trials."""
        return [_figure(part)]


def _figure(found: Searches) -> Figure:
    label, unit = found.selector.label, found.selector.unit
    cells = [curve.cell for curve in found.curves]
    names = [curve.name for curve in found.curves]
    styles = (
        dict(zip(names, (style.cell_styles(cells)[cell] for cell in cells), strict=True))
        if len(set(cells)) == len(cells)
        else style.variant_styles(names)
    )
    series = Series("variant", styles)
    rows = [row for curve in found.curves for row in rows_of(curve.best, curve.name, curve.name)]
    tables = Tables()
    axes = Axes("trials", axis_title(f"expected best {label}", unit), is_log_x=True)
    chart = lines(tables, rows, series, names, axes, ends_of(rows))
    caption = _caption(found)
    return Figure("search", "What more trials bring", caption, (Panel("", chart, tables),))


def _caption(found: Searches) -> str:
    return (
        f"Best {found.selector.label} that a search of so many trials ends with; line: mean, band: "
        f"one standard deviation to either side (Dodge et al. 2019); {found.assumption}."
    )


def _curve(subject: Subject, selector: Metric, places: Mapping[VariantKey, int]) -> SearchCurve:
    sign = 1.0 if selector.higher_is_better else -1.0
    values = sign * np.array([trial.value for trial in subject.trials])
    best, sd = expected_best(values), best_sd(values)
    low, high = np.maximum(best - sd, values.min()), np.minimum(best + sd, values.max())
    ends = (low, high) if sign > 0 else (-high, -low)
    ended = [trial for trial in subject.trials if not (trial.is_stopped or trial.is_diverged)]
    winner = max(ended, key=lambda trial: sign * trial.value, default=None)
    points = zip(sign * best, *ends, strict=True)
    return SearchCurve(
        name=subject.name,
        cell=subject.cell,
        sampler=subject.sampler,
        num_trials=len(values),
        num_diverged=sum(trial.is_diverged for trial in subject.trials),
        num_stopped=sum(trial.is_stopped for trial in subject.trials),
        num_left_out=subject.num_left_out,
        best=tuple(
            Point(n, float(value), float(lo), float(hi))
            for n, (value, lo, hi) in enumerate(points, start=1)
        ),
        winner=places.get(variant_key(winner.variant)) if winner else None,
        winner_value=winner.value if winner else math.nan,
    )


def _assumption(samplers: Sequence[str]) -> str:
    """What expected best values rest on, and which searches do not meet it."""
    text = "holds for trials drawn independently from one distribution"
    used = dict.fromkeys(name for sampler in samplers for name in sampler.split(" + "))
    if set(used) == {"random"}:
        return f"{text}, as random search draws them"
    parts = []
    if others := [name for name in used if name not in ("random", "grid")]:
        parts.append(f"{', '.join(others)} does not: each trial looks at those before it")
    if "grid" in used:
        parts.append("values listed by hand are no draws")
    return f"{text}; {'; '.join(parts)}, so the curve sums up this search and forecasts no other"
