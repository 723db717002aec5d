"""The forest plot, row by row: it stands in the cells of the answer's table."""

import math
from collections.abc import Sequence

from mnist_seq.report.charts.extent import extent
from mnist_seq.report.charts.page.axis import Axis
from mnist_seq.report.charts.page.scene import Box, Dot, Line, Mark, Text, svg
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report, Variant

HEIGHT, _BAR, _SEEDS = 44, 16, 33  # of a row; heights of the interval and of the seeds in it
_MANY_SEEDS = 20  # from here on their dots are small and faint


def axis_of(report: Report) -> Axis | None:
    """The one axis of all rows; None where nothing can be drawn on it."""
    if not any(v.pairs or v.compared for v in report.variants):
        return None
    values = [*extent(report.variants)]
    if (margin := report.rule.margin) is not None:
        values += [-margin, margin]
    return Axis.over(values, before=0.04, after=0.04)


def head(report: Report, axis: Axis) -> str:
    """The axis above the rows, with the sides that are better and worse."""
    zero = axis.at(0)
    left, right = ("worse", "better") if report.metric.higher_is_better else ("better", "worse")
    marks: list[Mark] = [
        Text(axis.at(t), 32, fmt.number(t, 0) if t == round(t) else fmt.plain(t))
        for t in axis.ticks()
    ]
    if zero > 0.16:
        marks.append(Text(zero, 12, f"← {left}", anchor="end", dx=-8))
    if zero < 0.84:
        marks.append(Text(zero, 12, f"{right} →", anchor="start", dx=8))
    return svg(marks, 38, css="fx")


def row(report: Report, v: Variant, axis: Axis, decimals: int) -> str:
    """One variant: its mean, both intervals, and each seed below them."""
    marks: list[Mark] = []
    if (margin := report.rule.margin) is not None:
        marks.append(Box(axis.at(-margin), 0, axis.at(margin), HEIGHT, "margin"))
    for t in dict.fromkeys([*axis.ticks(), 0.0]):
        marks.append(Line(axis.at(t), 0, axis.at(t), HEIGHT, "grid" if t else "zero"))
    found = v.compared
    if found:
        c = found.comparison
        if found.wide:
            marks.append(Line(axis.at(found.wide.low), _BAR, axis.at(found.wide.high), _BAR, "sim"))
        ends = (axis.at(c.interval.low), axis.at(c.interval.high))
        if not math.isnan(ends[0] + ends[1]):
            marks.append(Line(ends[0], _BAR, ends[1], _BAR, "ci"))
    css, size = ("seed many", 2) if len(v.pairs) > _MANY_SEEDS else ("seed", 3)
    for seed, x in v.pairs:
        title = f"seed {seed}: {words.points(report, fmt.signed(x, report.metric.decimals))}"
        marks.append(Dot(axis.at(x), _SEEDS, size, css, title))
    if v.diverged:
        side, anchor = (0.0, "start") if report.metric.higher_is_better else (1.0, "end")
        marks.append(Text(side, _SEEDS + 4, fmt.TIMES, "lost", anchor))
    if found:
        marks.append(Dot(axis.at(found.comparison.difference), _BAR, 5.5, "mean"))
    return svg(marks, HEIGHT, _said(report, v, decimals), f"forest {words.kind(v)}")


def key(
    kinds: Sequence[str], *, has_wide: bool, has_seeds: bool, has_diverged: bool, base: str
) -> list[tuple[str, str]]:
    """What the marks mean: (picture, words); only those that occur."""
    bar: list[Mark] = [Line(0.2, 7, 0.8, 7, "ci"), Dot(0.5, 7, 5, "mean")]
    if has_wide:
        bar.insert(0, Line(0, 7, 1, 7, "sim"))
    found = []
    if kinds:
        thin = ", for all comparisons at once (thin)" if has_wide else ""
        found.append((_small(bar, 34, "undecided"), f"mean and interval (thick){thin}"))
    if has_seeds:
        found.append((_small([Dot(0.5, 7, 3, "seed")], 12, "undecided"), f"one seed minus {base}"))
    if has_diverged:
        cross = _small([Text(0.5, 11, fmt.TIMES, "lost")], 12, "undecided")
        found.append((cross, "at the edge: seeds diverged"))
    for kind in ("better", "worse", "equivalent"):
        if kind in kinds:
            found.append((_small([Dot(0.5, 7, 5.5, "mean")], 14, kind), f"filled: {kind}"))
    if "undecided" in kinds:
        picture = _small([Dot(0.5, 7, 4.5, "mean")], 14, "undecided")
        found.append((picture, "hollow: not decided"))
    return found


def _small(marks: Sequence[Mark], width: int, css: str) -> str:
    picture = svg(marks, 14, css=css)
    return picture.replace('width="100%"', f'width="{width}"', 1)


def _said(report: Report, v: Variant, decimals: int) -> str:
    """The row in words, for who does not see it."""
    seeds = ", ".join(fmt.signed(x, decimals) for _, x in v.pairs)
    of_seeds = f"; seeds {seeds}" if seeds and len(v.pairs) <= _MANY_SEEDS else ""
    if v.compared is None:
        return f"{v.label}: no interval{of_seeds}"
    c = v.compared.comparison
    size = words.points(report, fmt.signed(c.difference, decimals))
    low, high = (fmt.signed(end, decimals) for end in (c.interval.low, c.interval.high))
    return (
        f"{v.label}: difference {size}, {fmt.percent(report.level)} interval {low} to {high}"
        f"{of_seeds}"
    )
