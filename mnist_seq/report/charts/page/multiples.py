"""Small multiples: one variant in colour on its grey baseline, one panel each, on shared axes."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mnist_seq.report.charts.page.axis import Axis
from mnist_seq.report.charts.page.scene import Line, Mark, Poly, Text, svg
from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Point, Report, Variant

MANY = 12  # members of a family, from which only the decided and the largest are drawn at once
_LARGEST = 8
_LETTER = 15  # least distance of the two names at the right edge, in pixels

Pairs = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Series:
    """The curve of one variant: means with a band, and single runs beside them.

    Attributes:
        runs: (title, points) of each run.
        expected: what stored seeds gave, drawn behind; it widens no axis. Where the variant has
            none, its panel shows that of the baseline.
    """

    points: Sequence[Point]
    runs: Sequence[tuple[str, Pairs]] = ()
    expected: Sequence[Point] = ()


@dataclass(frozen=True)
class Frame:
    """What all panels of a figure share.

    Attributes:
        x_name: of the x axis, at its last tick; `unit`: of y, at its top tick.
        end: how the last value is written.
        is_log_y: the y axis, whose names then stand in a gutter.
    """

    x_name: str
    unit: str
    end: Callable[[float], str]
    is_log_y: bool = False
    is_log_x: bool = False
    low: float = -math.inf
    high: float = math.inf


def figure(report: Report, series: Mapping[int, Series], frame: Frame) -> str:
    """Panels of all families, in the order of the table."""
    x, y = _axes(series.values(), frame)
    families = [f for f in words.families(report) if any(v.key in series for v in f.variants)]
    most = max((len(f.members) for f in families), default=1)
    columns = "two" if most <= 2 else "four"
    out = []
    for family in families:
        base = series.get(family.baseline.key) if family.baseline else None
        name = family.base_name
        if family.title:
            out.append(f'<h3 class="grp">{for_html(family.title)}</h3>')
        first, rest = parted(report, family)
        shown = [v for v in first if v.key in series]
        if not shown and base is not None:
            shown = [] if rest else [family.baseline]  # type: ignore[list-item]
        panels = [
            panel(family.labels[v.key], words.arm_title(report, v), words.kind(v), series[v.key],
                  base if not v.is_baseline else None, name, x, y, frame, is_small=most > 2)
            for v in shown
        ]  # fmt: skip
        out.append(f'<div class="multiples {columns}">{"".join(panels)}</div>')
        later = [v for v in rest if v.key in series]
        if later:
            more = "".join(
                panel(family.labels[v.key], words.arm_title(report, v), words.kind(v),
                      series[v.key], base, name, x, y, frame, is_small=True)
                for v in later
            )  # fmt: skip
            out.append(
                f"<details><summary>The other {len(later)}</summary>"
                f'<div class="multiples {columns}">{more}</div></details>'
            )
    return "".join(out)


def curves(report: Report, points: Mapping[int, Sequence[Point]], frame: Frame) -> str:
    """Panels of the variants that have values; "" where no curve has two points.

    Args:
        points: by the key of the variant; a log axis leaves out 0.
    """
    found = {
        key: Series([p for p in of_variant if p.value > 0 or not frame.is_log_y])
        for key, of_variant in points.items()
    }
    found = {key: series for key, series in found.items() if series.points}
    if not any(len(series.points) > 1 for series in found.values()):
        return ""
    return figure(report, found, frame)


def side_by_side(named: Sequence[tuple[str, str, Series]], frame: Frame) -> str:
    """Panels of curves without a baseline: (title, note, curve) of each."""
    x, y = _axes([series for _, _, series in named], frame)
    is_small = len(named) > 2
    panels = "".join(
        panel(title, note, "undecided", series, None, "", x, y, frame, is_small=is_small)
        for title, note, series in named
    )
    return f'<div class="multiples {"four" if is_small else "two"}">{panels}</div>'


def parted(report: Report, family: words.Family) -> tuple[list[Variant], list[Variant]]:
    """Members that are shown at once, and those that are folded: the undecided and small ones."""
    members = list(family.members)
    if len(members) <= MANY:
        return members, []
    ranked = sorted(members, key=lambda v: -_size(v))
    if not any(map(_size, members)):  # trials of a search, say: the best of them
        sign = -1 if report.metric.higher_is_better else 1
        ranked = sorted(members, key=lambda v: sign * v.mean if v.n else math.inf)
    decided = [v for v in ranked if v.word in words.DECIDED][:MANY]
    kept = {v.key for v in decided} | {v.key for v in ranked[:_LARGEST]}
    return [v for v in members if v.key in kept], [v for v in members if v.key not in kept]


def _size(v: Variant) -> float:
    if v.compared:
        return abs(v.compared.comparison.difference)
    return 0.0 if math.isnan(v.apart) else abs(v.apart)


def _axes(series: Iterable[Series], frame: Frame) -> tuple[Axis, Axis]:
    xs: list[float] = []
    ys: list[float] = []
    for one in series:
        xs += [p.step for p in one.points]
        ys += [y for p in one.points for y in (p.value, p.low, p.high)]
        for _, points in one.runs:
            xs += [x for x, _ in points]
            ys += [y for _, y in points]
    ys = [min(max(y, frame.low), frame.high) for y in ys if math.isfinite(y)]
    y = Axis.over(ys, before=0.04, after=0.04, is_log=frame.is_log_y)
    if not frame.is_log_y:
        y = Axis(max(y.low, frame.low), min(y.high, frame.high))
    return Axis.over(xs, is_log=frame.is_log_x), y


def panel(
    title: str,
    note: str,
    css: str,
    series: Series,
    base: Series | None,
    base_name: str,
    x: Axis,
    y: Axis,
    frame: Frame,
    *,
    is_small: bool,
) -> str:
    """One panel: its title is the key of its colours."""
    height = 118 if is_small else 150

    def place(value: float) -> float:
        return height * (1 - y.at(value))

    marks: list[Mark] = []
    y_ticks = y.ticks(4)
    for t in y_ticks:
        marks.append(Line(0, place(t), 1, place(t), "grid"))
    own = Series(_within(series, x, y))
    past = (own, "s v") if own.points or base is None else (Series(_within(base, x, y)), "s b")
    for one, kind in (past, (base, "b"), (series, "v")):
        marks += _band(one, x, place, kind)
    if past[0].points:
        curve = [(x.at(p.step), place(p.value)) for p in past[0].points]
        marks.append(Poly(curve, f"mean {past[1]}"))
    for name, points in series.runs:
        marks.append(Poly([(x.at(a), place(b)) for a, b in points], "run v", title=name))
    for one, kind in ((base, "b"), (series, "v")):
        if one is not None:
            for piece in _pieces(one.points):
                curve = [(x.at(p.step), place(p.value)) for p in piece]
                marks.append(Poly(curve, f"mean {kind}"))
    for t in y_ticks:
        text = fmt.power(t) if frame.is_log_y else fmt.plain(t)
        if frame.is_log_y:
            marks.append(Text(0, place(t), text, "yt", "end", dx=-6, dy=4))
        else:
            unit = frame.unit if t == y_ticks[-1] else ""
            marks.append(Text(0, place(t) - 3, fmt.with_unit(text, unit), "yt", "start"))
    marks += _bottom(x, frame, height, is_small=is_small)
    labels = _ends([(series, "v"), (base, "b")], place, frame)
    head = f'<span class="pt v">{for_html(title)}</span>'
    if base is not None:
        head += f' <span class="pt b">{for_html(base_name)}</span>'
    if note:
        head += f'<span class="pn">{for_html(note)}</span>'
    picture = svg(marks, height + 20, _said(title, note, series, base, base_name, frame))
    gutter = " gut" if frame.is_log_y else ""
    return (
        f'<div class="panel {css}"><div class="ph">{head}</div>'
        f'<div class="plot{gutter}">{picture}{labels}</div></div>'
    )


def _within(series: Series, x: Axis, y: Axis) -> list[Point]:
    """What stored seeds gave, cut at the axes."""
    return [
        Point(p.step, *(min(max(v, y.low), y.high) for v in (p.value, p.low, p.high)))
        for p in series.expected
        if x.low <= p.step <= x.high
    ]


def _pieces(points: Sequence[Point]) -> list[list[Point]]:
    """Runs of points that have a value."""
    pieces: list[list[Point]] = [[]]
    for p in points:
        if math.isfinite(p.value):
            pieces[-1].append(p)
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _band(one: Series | None, x: Axis, place: Callable[[float], float], kind: str) -> list[Mark]:
    if one is None:
        return []
    known = [p for p in one.points if math.isfinite(p.low) and math.isfinite(p.high)]
    if not known:
        return []
    lower = [(x.at(p.step), place(p.low)) for p in known]
    upper = [(x.at(p.step), place(p.high)) for p in known]
    return [Poly([*lower, *upper[::-1]], f"band {kind}", is_area=True)]


def _bottom(x: Axis, frame: Frame, height: float, *, is_small: bool) -> list[Mark]:
    if x.is_log:
        found = x.ticks(3 if is_small else 5)
    else:
        middle = [] if is_small else [t for t in x.ticks(4) if 0.2 < x.at(t) < 0.7]
        found = [x.low, *middle[:1], x.high]
    marks: list[Mark] = [Line(0, height, 1, height, "axis")]
    for place, t in enumerate(found):
        share = x.at(t)
        anchor = "start" if share < 0.04 else "end" if share > 0.96 else "middle"
        name = f" {frame.x_name}" if place == len(found) - 1 else ""
        text = fmt.short_count(t) if t >= 10000 else fmt.plain(t)
        marks.append(Text(share, height + 15, f"{text}{name}", anchor=anchor))
        marks.append(Line(share, height, share, height + 4, "tick"))
    return marks


def _ends(
    both: Sequence[tuple[Series | None, str]], place: Callable[[float], float], frame: Frame
) -> str:
    """The last values at the right edge, kept apart from each other."""
    found: list[tuple[float, str, str]] = []
    for one, kind in both:
        if one is not None and (pieces := _pieces(one.points)):
            value = pieces[-1][-1].value
            found.append((place(value), kind, frame.end(value)))
    tops = [top for top, _, _ in found]
    if len(tops) == 2 and abs(tops[0] - tops[1]) < _LETTER:
        middle, half = sum(tops) / 2, _LETTER / 2
        tops = (
            [middle - half, middle + half] if tops[0] <= tops[1] else [middle + half, middle - half]
        )
        tops = [top + max(0.0, 6 - min(tops)) for top in tops]
    return "".join(
        f'<span class="lab {kind}" style="top:{top:.1f}px" aria-hidden="true">'
        f"{for_html(text)}</span>"
        for top, (_, kind, text) in zip(tops, found, strict=True)
    )


def _said(
    title: str, note: str, series: Series, base: Series | None, base_name: str, frame: Frame
) -> str:
    def last(one: Series | None) -> str:
        pieces = _pieces(one.points) if one else []
        return fmt.with_unit(frame.end(pieces[-1][-1].value), frame.unit) if pieces else fmt.NONE

    name = f"{title} ({note})" if note else title
    beside = f"; {base_name}: {last(base)}" if base is not None else ""
    return f"{name}: {last(series)} at the end{beside}"
