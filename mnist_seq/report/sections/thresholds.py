"""When the seeds of each variant reached a threshold on validation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from mnist_seq.report import wording
from mnist_seq.report.charts.base import ROW, Series, series_of, tooltip
from mnist_seq.report.charts.figure import Drawing, Figure, Panel, Tables
from mnist_seq.report.charts.page.strip import Row, strip
from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report
from mnist_seq.runs.text import plural

_CAPTION = (
    "Training time at the first evaluation with this accuracy, one tick a seed; marker: median "
    "over all seeds, one that never reached it counting as later than any other (no marker where "
    "half or more never did)."
)


@dataclass(frozen=True)
class Levels:
    """The thresholds, as fractions, in the order of `Variant.reached`.

    Attributes:
        label: of the share that they are thresholds of: "valid accuracy".
    """

    thresholds: tuple[float, ...]
    label: str


class Thresholds(Section[Levels]):
    """Needs thresholds, runs that were validated, and seconds that compare."""

    order = 60.0
    figures = ("thresholds",)
    heading = "Time to accuracy"
    lead = "Training time at the first evaluation with an accuracy; one tick a seed."

    def compute(self, inputs: Inputs) -> Levels | None:
        """Which thresholds; when each variant reached them is among its own numbers."""
        found = tuple(reached.threshold for reached in inputs.variants[0].reached)
        was_validated = any(r.n for v in inputs.variants for r in v.reached)
        if inputs.seconds_differ:
            return None
        return Levels(found, f"valid {inputs.task.main}") if found and was_validated else None

    def tables(self, report: Report, part: Levels) -> Sequence[Table]:
        """How many seeds reached each threshold, and when."""
        header = ["variant"]
        for threshold in part.thresholds:
            header += [f"{wording.percent(threshold)} {part.label}", "median seconds"]
        if not any(r.num_reached for v in report.variants for r in v.reached):
            return []
        rows = tuple(
            (v.label, *(t for r in v.reached for t in (r.text, wording.number(r.median, 1))))
            for v in report.variants
        )
        caption = (
            "Training time at the first evaluation with this accuracy. The median counts a seed "
            "that never reached it as later than any other; ∞: half or more never did."
        )
        return [Table("Time to accuracy", tuple(header), rows, caption, name="reached",
                      formats=("html", "markdown"))]  # fmt: skip

    def drawn(self, report: Report, part: Levels) -> Sequence[Drawing]:
        """A strip for each threshold that a run reached, and a sentence on the others."""
        names = words.labels(report)
        found, none = [], []
        for place, threshold in enumerate(part.thresholds):
            title = f"{fmt.percent(threshold)} {part.label}"
            if not any(v.reached[place].num_reached for v in report.variants):
                none.append(fmt.percent(threshold))
                continue
            rows = [
                Row(names[v.key], words.kind(v), own.times, own.median, own.text)
                for v in report.variants
                for own in [v.reached[place]]
                if own.num_reached
            ]
            never = len(report.variants) - len(rows)
            left = f" No seed of {plural(never, 'other variant')} reached it." if never else ""
            found.append(Drawing(title, strip(rows, "s", title), _CAPTION + left))
        if none:
            text = f"No run reached {fmt.joined(none, 'or')} {part.label}."
            found.append(Drawing("", f'<p class="cap">{for_html(text)}</p>'))
        return found

    def charts(self, report: Report, part: Levels) -> Sequence[Figure]:
        """When each seed reached a threshold, and how many never did."""
        series = series_of(report)
        panels = tuple(
            Panel(f"{wording.percent(threshold)} {part.label}", *_panel(report, place, series))
            for place, threshold in enumerate(part.thresholds)
            if any(v.reached[place].num_reached for v in report.variants)
        )
        return [Figure("thresholds", "Time to accuracy", _CAPTION, panels)]


def _panel(report: Report, place: int, series: Series) -> tuple[Any, Tables]:
    tables = Tables()
    labels = {v.key: f"{v.label}: {v.reached[place].text}" for v in report.variants}
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
