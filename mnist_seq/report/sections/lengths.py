"""What a net gets on sequences of other lengths than that of the test set."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mnist_seq.report import wording
from mnist_seq.report.charts.base import axis_title, families, series_of
from mnist_seq.report.charts.figure import Drawing, Figure, Panel, Tables
from mnist_seq.report.charts.lines import Axes, ends_of, lines, rows_of
from mnist_seq.report.charts.page.multiples import Frame, Series, figure
from mnist_seq.report.read.metric import Metric, metric_of
from mnist_seq.report.read.run import Run, is_number
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Point, Report

_CAPTION = (
    "Lines: means over the finished seeds; bands: the smallest and the largest seed. Read once, "
    "when a run ended."
)
_PROBE = re.compile(r"test@(\d+)/(.+)")


@dataclass(frozen=True)
class AtLengths:
    """What the finished runs of one variant got, n seeds.

    Attributes:
        points: by length: the mean over seeds, and the smallest and the largest seed.
        worst: by length, the worst seed.
    """

    variant: int
    n: int
    points: tuple[Point, ...]
    worst: Mapping[int, float]


@dataclass(frozen=True)
class Probes:
    """The variants that were read at other lengths, with the metric that choices go by.

    Attributes:
        own: length of the test set; None where the runs do not say.
        guess: what a guess gets, by length.
    """

    metric: Metric
    own: int | None
    variants: tuple[AtLengths, ...]
    guess: Mapping[int, float]

    @property
    def lengths(self) -> tuple[int, ...]:
        """All lengths, ascending."""
        return tuple(sorted({int(p.step) for found in self.variants for p in found.points}))


class Lengths(Section[Probes]):
    """Needs finished runs of a task with probes."""

    order = 45.0
    figures = ("lengths",)
    heading = "Other lengths"
    lead = "What a net gets on sequences longer or shorter than those it was judged by."

    def compute(self, inputs: Inputs) -> Probes | None:
        """Mean and worst seed at each length, in the unit of the metric."""
        metric = metric_of(f"test/{inputs.task.main}", inputs.task)
        own = _own_length(inputs.runs)
        found = []
        for place, group in enumerate(inputs.groups):
            probed = [(_values(run, metric, own), run) for run in group.finished]
            probed = [(values, run) for values, run in probed if values.keys() - {own}]
            if probed:
                found.append(_at_lengths(place, [values for values, _ in probed], metric))
        return Probes(metric, own, tuple(found), _guess(inputs, metric, own)) if found else None

    def tables(self, report: Report, part: Probes) -> Sequence[Table]:
        """One row a variant, one column a length, and what a guess gets."""
        header = ("variant", "n", *(f"{n:,}" for n in part.lengths))
        rows = [
            (report.variants[found.variant].label, str(found.n),
             *(_text(found, length, part.metric) for length in part.lengths))
            for found in part.variants
        ]  # fmt: skip
        if part.guess:
            values = (part.guess.get(n) for n in part.lengths)
            decimals = part.metric.decimals
            texts = (wording.NONE if v is None else wording.number(v, decimals) for v in values)
            rows.append(("a guess", wording.NONE, *texts))
        title = f"{part.metric.title} at other lengths"
        return [Table(title, header, tuple(rows), _caption(part), is_answer=True)]

    def drawn(self, report: Report, part: Probes) -> Sequence[Drawing]:
        """The metric against the length, one panel a variant."""
        is_log = len(part.lengths) > 1 and part.lengths[-1] >= 10 * part.lengths[0]
        d = words.decimals_of(report)
        frame = Frame("time steps", part.metric.unit, lambda v: fmt.number(v, d), is_log_x=is_log)
        found = {own.variant: Series(own.points) for own in part.variants if len(own.points) > 1}
        body = figure(report, found, frame) if found else ""
        return [Drawing(f"{part.metric.label} at other lengths", body, _CAPTION)]

    def charts(self, report: Report, part: Probes) -> Sequence[Figure]:
        """The metric against the length, one panel for each family of variants."""
        by_variant = {found.variant: found for found in part.variants}
        is_log = len(part.lengths) > 1 and part.lengths[-1] >= 10 * part.lengths[0]
        axes = Axes("length", axis_title(part.metric.label, part.metric.unit), is_log_x=is_log)
        series, rows = series_of(report), {}
        for v in report.variants:
            if v.key in by_variant:
                rows[v.key] = rows_of(by_variant[v.key].points, series.of(v), v.label)
        ends = ends_of([row for own in rows.values() for row in own])
        panels = []
        for name, members in families(report):
            shown = [v for v in members if v.key in rows]
            if shown:
                tables, of_family = Tables(), [row for v in shown for row in rows[v.key]]
                panels.append(
                    Panel(name, lines(tables, of_family, series, shown, axes, ends), tables)
                )
        return [Figure("lengths", f"{part.metric.label} at other lengths", _CAPTION, tuple(panels))]


def _caption(part: Probes) -> str:
    own = "" if part.own is None else f" {part.own:,} is the length of the test set."
    return (
        "Mean over the finished seeds, the worst seed in brackets. Read once, when a run ended: "
        f"nothing was chosen by it.{own}"
    )


def _text(found: AtLengths, length: int, metric: Metric) -> str:
    mean = next((p.value for p in found.points if p.step == length), math.nan)
    if math.isnan(mean):
        return wording.NONE
    texts = (wording.number(value, metric.decimals) for value in (mean, found.worst[length]))
    return "{} ({})".format(*texts)


def _at_lengths(place: int, seeds: Sequence[Mapping[int, float]], metric: Metric) -> AtLengths:
    points, worst = [], {}
    for length in sorted({length for values in seeds for length in values}):
        each = [values[length] for values in seeds if length in values]
        points.append(Point(length, math.fsum(each) / len(each), min(each), max(each)))
        worst[length] = (min if metric.higher_is_better else max)(each)
    return AtLengths(place, len(seeds), tuple(points), worst)


def _values(run: Run, metric: Metric, own: int | None) -> dict[int, float]:
    """The metric of a run by length, as people read it; that of the test set included."""
    found = {}
    for name, value in run.metrics.items():
        match = _PROBE.fullmatch(name)
        if match is not None and match[2] == metric.last_name and is_number(value):
            found[int(match[1])] = value * metric.scale
    on_test = metric.of(run)
    if own is not None and on_test is not None:
        found.setdefault(own, on_test)
    return found


def _own_length(runs: Sequence[Run]) -> int | None:
    length = runs[0].values.get("data.length") if runs else None
    return length if isinstance(length, int) else None


def _guess(inputs: Inputs, metric: Metric, own: int | None) -> dict[int, float]:
    """What run.json says of a guess at each length; nothing where it does not, or is damaged."""
    found = {}
    if own is not None and metric.last_name in inputs.task.guess:
        found[own] = inputs.task.guess[metric.last_name] * metric.scale
    for run in inputs.runs:
        task = run.record.get("task")
        probes = task.get("probes") if isinstance(task, Mapping) else None
        for length, values in probes.items() if isinstance(probes, Mapping) else ():
            value = values.get(metric.last_name) if isinstance(values, Mapping) else None
            if isinstance(value, int | float) and is_number(value) and str(length).isdecimal():
                found[int(length)] = value * metric.scale
    return found
