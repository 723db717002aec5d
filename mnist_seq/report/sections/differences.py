"""The differences to the baseline with their intervals, one line a variant."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from mnist_seq.report import wording
from mnist_seq.report.charts.base import INK, ROW, Series, axis_title, series_of, tooltip
from mnist_seq.report.charts.figure import Figure, Panel, Tables
from mnist_seq.report.sections import Inputs, Section
from mnist_seq.report.value import Compared, Report, Variant
from mnist_seq.stats import margin_text


@dataclass(frozen=True)
class Pairs:
    """Keys of the variants that could be compared."""

    keys: tuple[int, ...]


class Differences(Section[Pairs]):
    """Needs a variant with a comparison."""

    order = 20.0
    figures = ("differences",)

    def compute(self, inputs: Inputs) -> Pairs | None:
        """Which variants were compared; their numbers are those of the verdict table."""
        keys = tuple(v.key for v in inputs.variants if v.compared is not None)
        return Pairs(keys) if keys else None

    def charts(self, report: Report, part: Pairs) -> Sequence[Figure]:
        """One line a variant: its difference to the baseline and the interval of it."""
        pairs = [(v, v.compared) for v in (report.variants[key] for key in part.keys) if v.compared]
        return [_figure(report, pairs)]


def _figure(report: Report, pairs: Sequence[tuple[Variant, Compared]]) -> Figure:
    compared = [v for v, _ in pairs]
    series, d = series_of(report), report.metric.decimals
    tables = Tables()
    rows = [_row(v, found, series, d) for v, found in pairs]
    label = axis_title("difference to the baseline", report.metric.points)
    y = alt.Y("variant:N", sort=[v.label for v in compared], title=None,
              axis=alt.Axis(grid=False, ticks=False, domain=False, labelPadding=8))  # fmt: skip
    about = tooltip(variant="variant", baseline="baseline", difference="difference",
                    interval="interval", p="adjusted p", pairing="pairing",
                    word="verdict")  # fmt: skip
    base = alt.Chart(tables.add(rows)).encode(y=y, tooltip=about)
    zero = (
        alt.Chart(tables.add([{"zero": 0}]))
        .mark_rule(color=INK, strokeOpacity=0.6)
        .encode(x="zero:Q")
    )
    whiskers = base.mark_rule(strokeWidth=2.5).encode(
        x=alt.X("low:Q", title=label), x2="high:Q", color=series.color(used=compared)
    )
    points = base.mark_point(size=110, filled=True, opacity=1).encode(
        x=alt.X("value:Q", title=label),
        color=series.color(used=compared),
        shape=series.shape(used=compared),
    )
    layers: list[Any] = [zero, whiskers, points]
    if report.rule.margin is not None:
        edge = [{"low": -report.rule.margin, "high": report.rule.margin}]
        margin = alt.Chart(tables.add(edge)).mark_rect(color=INK, fillOpacity=0.08)
        layers.insert(0, margin.encode(x="low:Q", x2="high:Q"))
    caption = (
        f"Mean difference in {report.metric.label} over seeds; whiskers: "
        f"{wording.percent(report.level)} interval, not adjusted for the "
        "number of comparisons. Left of 0 the variant is "
        f"{'worse' if report.metric.higher_is_better else 'better'}."
    )
    if report.rule.margin is not None:
        caption += f" Shaded: the declared margin of {margin_text(report.rule)}."
    chart = alt.layer(*layers).properties(height=ROW * len(compared) + 10)
    return Figure(
        "differences", "Differences to the baseline", caption, (Panel("", chart, tables),)
    )


def _row(v: Variant, found: Compared, series: Series, decimals: int) -> dict[str, Any]:
    x, ends = found.comparison, found.comparison.interval
    return {
        "variant": v.label,
        "baseline": v.baseline_label,
        "series": series.of(v),
        "value": x.difference,
        "low": ends.low,
        "high": ends.high,
        "difference": wording.signed(x.difference, decimals),
        "interval": wording.span(ends.low, ends.high, decimals),
        "p": wording.p_value(found.verdict.p_adjusted),
        "pairing": found.pairing,
        "word": v.word,
    }
