"""The figures of a paper, each for one column and for two: differences, and learning curves."""

import math
from collections.abc import Mapping

from mnist_seq.report.charts.extent import extent, is_cut
from mnist_seq.report.paper.document import Picture
from mnist_seq.report.paper.drawing import (
    COLORS,
    COLUMN,
    GREY,
    GRID,
    INK,
    PAGE,
    SIZE,
    SMALL,
    SOFT,
    Scale,
    Sheet,
    scale_over,
    width_of,
)
from mnist_seq.report.sections.learning_curves import Curves, LearningCurves, RunCurve
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Point, Report, Variant

WIDTHS = {"column": COLUMN, "page": PAGE}
NAMES = tuple(f"{figure}-{width}" for figure in ("forest", "curves") for width in WIDTHS)
_MOST_ROWS, _MOST_PANELS = 40, 24
_MIN_PLOT = 80.0


def drawn(report: Report) -> dict[str, str]:
    """Each figure by its name as SVG, those that the report has data for."""
    found: dict[str, str] = {}
    curves = LearningCurves.of(report)
    for name, width in WIDTHS.items():
        if any(v.compared for v in report.variants):
            found[f"forest-{name}"] = _forest(report, width)
        if curves is not None and any(len(points) > 1 for points in curves.means.values()):
            found[f"curves-{name}"] = _curves(report, curves, width)
    return found


def pictures(report: Report, svgs: Mapping[str, str]) -> list[Picture]:
    """The figures that report.tex shows, for one column."""
    level, found = fmt.percent(report.level), []
    if "forest-column" in svgs:
        more = len(_rows(report)) < sum(v.compared is not None for v in report.variants)
        found.append(
            Picture(
                "figures/forest-column",
                f"Difference of each variant to its baseline in {report.metric.label}. Circle: "
                f"mean over seeds, filled where it is decided; bar: {level} interval"
                f"{_wide_text(report)}; small dots: single seeds"
                f"{f'; the {_MOST_ROWS} largest differences' if more else ''}.",
            )
        )
    curves = LearningCurves.of(report)
    if "curves-column" in svgs and curves is not None:
        found.append(
            Picture(
                "figures/curves-column",
                f"{curves.metric.label[:1].upper()}{curves.metric.label[1:]} along training: mean "
                f"over seeds of each variant (in colour) and of its baseline (grey); "
                f"{_beside(curves, level)}.",
            )
        )
    return found


def _beside(curves: Curves, level: str) -> str:
    """What is drawn beside means: a band, the runs where there are fewer than three, or both."""
    has_band = {any(p.low == p.low for p in points) for points in curves.means.values()}
    band = f"band: {level} t-interval of the mean"
    if has_band == {True}:
        return band
    return "thin: single runs" if has_band == {False} else f"{band}; thin: runs of fewer than three"


def _wide_text(report: Report) -> str:
    if not any(v.compared and v.compared.wide for v in report.variants):
        return ""
    cut = " (cut at the edge)" * is_cut(_rows(report))
    return f", thin where it covers all comparisons at once{cut}"


def _rows(report: Report) -> list[Variant]:
    """The variants that are drawn: of many, those with the largest differences."""
    compared = [v for v in report.variants if v.compared]
    if len(compared) <= _MOST_ROWS:
        return compared
    ranked = sorted(compared, key=lambda v: -abs(v.apart) if v.apart == v.apart else 0.0)
    kept = {v.key for v in ranked[:_MOST_ROWS]}
    return [v for v in compared if v.key in kept]


def _forest(report: Report, width: float) -> str:
    """Paired differences with their intervals, one row a variant, the numbers at the right."""
    shown, d = {v.key for v in _rows(report)}, words.decimals_of(report)
    families = [(f, [v for v in f.members if v.key in shown]) for f in words.families(report)]
    families = [(f, members) for f, members in families if members]
    labels = [f.labels[v.key] for f, members in families for v in members]
    texts = {v.key: _text_of(v, d) for _, members in families for v in members}
    ends = max(width_of(text, SMALL) for _, text in texts.values())
    right = width - ends - max(width_of(mean) for mean, _ in texts.values()) - 8
    left = min(max(map(width_of, labels)) + 6, right - _MIN_PLOT)
    step = 20 if len(labels) <= 20 else 15
    height = 40 + step * len(labels) + sum(14 for f, _ in families if f.title)
    sheet = Sheet(width, height)
    x = _scale_of(report, families, left, right)
    bottom = height - 21
    for tick in x.ticks(6 if width > COLUMN else 4):
        sheet.line(
            x(tick), 13, x(tick), bottom, INK if tick == 0 else GRID, 0.7 if not tick else 0.5
        )
        sheet.text(x(tick), bottom + 8, fmt.plain(tick), anchor="middle", size=7, color=SOFT)
    better, worse = ("better →", "← worse") if report.metric.higher_is_better else (
        "worse →", "← better"
    )  # fmt: skip
    if x(0) - left > 30:
        sheet.text(x(0) - 3, 8, worse, anchor="end", size=7, color=SOFT)
    if is_wide := right - x(0) > 30:
        sheet.text(x(0) + 3, 8, better, size=7, color=SOFT)
    head = f"Mean [{fmt.percent(report.level)} interval]"
    if width - width_of(head, 7) > x(0) + (36 if is_wide else 3):
        sheet.text(width, 8, head, anchor="end", size=7, color=SOFT)
    unit = f" ({report.metric.points})" if report.metric.points else ""
    title = f"Difference in {report.metric.label}, variant {fmt.MINUS} baseline{unit}"
    sheet.text((left + right) / 2, height - 3, title, anchor="middle", size=7, color=SOFT)
    y = 22.0
    for family, members in families:
        if family.title:
            sheet.blank(0, y - 4, width_of(family.title, 1.1 * SIZE), 11)
            sheet.text(1, y + 4, family.title, is_bold=True)
            y += 14
        for v in members:
            sheet.text(width - ends - 3, y + 2.6, texts[v.key][0], anchor="end", is_bold=True)
            sheet.text(width, y + 2.6, texts[v.key][1], anchor="end", size=SMALL, color=SOFT)
            _row(sheet, x, y, v, family.labels[v.key], left)
            y += step
    said = "; ".join(
        f"{f.labels[v.key]} {' '.join(texts[v.key])}" for f, members in families for v in members
    )
    return sheet.svg(title, said)


def _text_of(v: Variant, d: int) -> tuple[str, str]:
    assert v.compared is not None
    c = v.compared.comparison
    ends = fmt.interval(c.interval.low, c.interval.high, d, is_signed=True)
    return fmt.signed(c.difference, d), ends


def _scale_of(
    report: Report,
    families: list[tuple[words.Family, list[Variant]]],
    left: float,
    right: float,
) -> Scale:
    low, high = extent(v for _, members in families for v in members)
    return scale_over([low, high] if low < high else [-1.0, 1.0], left + 3, right - 3)


def _row(sheet: Sheet, x: Scale, y: float, v: Variant, label: str, left: float) -> None:
    assert v.compared is not None
    c, kind = v.compared.comparison, words.kind(v)
    color = COLORS[kind]
    for line, text in enumerate(_broken(label, left - 4)):
        sheet.text(1, y + 2.6 + 7.5 * line, text)
    for interval, thick in ((v.compared.wide, 0.7), (c.interval, 2.2)):
        if interval is not None and math.isfinite(interval.low + interval.high):
            low, high = max(interval.low, x.low), min(interval.high, x.high)
            sheet.line(x(low), y, x(high), y, color, thick)
    for _, value in v.pairs:
        sheet.dot(x(value), y + 6.5, 1.3, color, kind="faint")
    sheet.dot(x(c.difference), y, 2.7, color, kind="hollow" if kind == "undecided" else "filled")


def _broken(label: str, width: float) -> list[str]:
    """A label in one line or, at its commas and spaces, in two; it is never cut."""
    if width_of(label) <= width or " " not in label:
        return [label]
    parts = label.split(" ")
    at = next((i for i in range(len(parts), 0, -1) if width_of(" ".join(parts[:i])) <= width), 1)
    return [" ".join(parts[:at]), *([" ".join(parts[at:])] if parts[at:] else [])]


def _curves(report: Report, curves: Curves, width: float) -> str:
    """Small multiples: one variant a panel, in colour on its grey baseline, with shared axes."""
    families = words.families(report)
    panels = [(f, v) for f in families for v in f.members if curves.means.get(v.key)]
    if not panels:
        panels = [(f, v) for f in families for v in f.variants if curves.means.get(v.key)]
    panels = panels[:_MOST_PANELS]
    columns = min(len(panels), 2 if width == COLUMN else 4)
    gap, gutter, tall = 8.0, 24.0, 62.0
    wide = (width - gutter - gap * (columns - 1)) / columns
    num_rows = math.ceil(len(panels) / columns)
    sheet = Sheet(width, num_rows * (tall + 24) + 12)
    drawn_points = [p for f, v in panels for key in _keys(f, v) for p in curves.means.get(key, ())]
    values = [e for p in drawn_points for e in (p.value, p.low, p.high) if math.isfinite(e)]
    runs = {key: _runs(report, curves, key) for f, v in panels for key in _keys(f, v)}
    values += [value for own in runs.values() for run in own for value in run.values]
    most = 100.0 if curves.metric.is_share else math.inf
    values = [min(max(value, 0.0), most) for value in values]
    steps = [p.step for p in drawn_points]
    for i, (family, v) in enumerate(panels):
        row, column = divmod(i, columns)
        left, top = gutter + column * (wide + gap), row * (tall + 24) + 12
        x = Scale(min(steps), max(max(steps), min(steps) + 1), left, left + wide)
        y = scale_over(values, top + tall, top)
        title = family.labels[v.key]
        title += f", {family.title}" if family.title else ""
        name = title if width_of(title) <= wide else family.labels[v.key]
        sheet.text(left, top - 4, name, is_bold=True, color=COLORS[words.kind(v)])
        for tick in y.ticks(4):
            sheet.line(left, y(tick), left + wide, y(tick), GRID, 0.5)
            if column == 0:
                sheet.text(left - 3, y(tick) + 2.4, fmt.plain(tick), anchor="end", size=SMALL,
                           color=SOFT)  # fmt: skip
        sheet.line(left, top + tall, left + wide, top + tall, SOFT, 0.6)
        for tick in (x.low, x.high):
            anchor = "start" if tick == x.low else "end"
            sheet.text(x(tick), top + tall + 8, fmt.short_count(tick), anchor=anchor, size=SMALL,
                       color=SOFT)  # fmt: skip
        for key in _keys(family, v):
            color = COLORS[words.kind(v)] if key == v.key else GREY
            for run in runs[key]:
                sheet.curve(
                    [(x(a), y(b)) for a, b in zip(run.steps, run.values, strict=True)], color, 0.5
                )
            _curve(sheet, x, y, curves.means.get(key, ()), color, most)
    unit = f" ({curves.metric.unit})" if curves.metric.unit else ""
    title = f"{curves.metric.label}{unit} along training steps"
    sheet.text(width, sheet.height - 2, title, anchor="end", size=7, color=SOFT)
    return sheet.svg(title, f"{len(panels)} panels, each variant on its baseline")


def _runs(report: Report, curves: Curves, key: int) -> list[RunCurve]:
    """The finished runs of a variant whose mean has no band."""
    if any(p.low == p.low for p in curves.means.get(key, ())):
        return []
    own = [run for run in curves.runs if report.runs[run.run].variant == key]
    own = [run for run in own if report.runs[run.run].state == "finished"]
    return own if len(own) > 1 else []


def _keys(family: words.Family, v: Variant) -> list[int]:
    """What a panel draws, the variant last."""
    base = family.baseline
    return [*([base.key] if base and base.key != v.key else []), v.key]


def _curve(
    sheet: Sheet, x: Scale, y: Scale, points: tuple[Point, ...], color: str, most: float
) -> None:
    known = [p for p in points if math.isfinite(p.low + p.high)]
    if len(known) > 1:
        upper = [(x(p.step), y(min(p.high, most))) for p in known]
        lower = [(x(p.step), y(max(p.low, 0.0))) for p in reversed(known)]
        sheet.band([*upper, *lower], color)
    sheet.curve([(x(p.step), y(p.value)) for p in points], color, 1.2)
