"""The metric along one setting: lines through variants that agree on all others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mnist_seq.report.charts.page.axis import Axis, is_wide, within
from mnist_seq.report.charts.page.scatter import WIDTH
from mnist_seq.report.charts.page.scene import Dot, Line, Mark, Poly, Text, svg
from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.texts import fmt

_HEIGHT, _LETTER = 220, 15
_LONG = 12  # letters of a name that stands beside the lines
_MOST_TICKS = 8  # values that have their own tick; of more, round values do
_MOST_NAMED = 8  # lines with a name at their end
_WIDTH_OF_LETTER = 7.5


@dataclass(frozen=True)
class At:
    """The mean of one variant at a value of the setting, with its interval."""

    x: float
    mean: float
    low: float
    high: float
    kind: str
    title: str


def along(
    lines: Mapping[str, Sequence[At]],
    texts: Mapping[float, str],
    unit: str,
    description: str,
) -> str:
    """The chart of one key.

    Args:
        lines: points by the name of their line.
        texts: what stands at a value of x.
    """
    points = [p for own in lines.values() for p in own]
    x = Axis.over(texts, before=0.12, after=0.05, is_log=is_wide(texts))
    means = [p.mean for p in points]
    ends = within(means, [v for p in points for v in (p.low, p.high)])
    y = Axis.over([*means, *ends], before=0.06, after=0.06)

    def place(value: float) -> float:
        return _HEIGHT * (1 - y.at(value))

    marks: list[Mark] = []
    ticks = y.ticks(5)
    for t in ticks:
        marks.append(Line(0, place(t), 1, place(t), "grid"))
        text = fmt.with_unit(fmt.plain(t), unit if t == ticks[-1] else "")
        marks.append(Text(0, place(t) - 3, text, "yt", "start"))
    marks.append(Line(0, _HEIGHT, 1, _HEIGHT, "axis"))
    last = -math.inf
    are_many = len(texts) > _MOST_TICKS and all(texts[v] == fmt.plain(v) for v in texts)
    named = {t: fmt.plain(t) for t in x.ticks(5)} if are_many else texts
    for value in sorted(named):
        share = x.at(value)
        anchor = "start" if share < 0.05 else "end" if share > 0.95 else "middle"
        length = _WIDTH_OF_LETTER * len(named[value]) / WIDTH
        left = share - {"start": 0, "middle": length / 2, "end": length}[anchor]
        if left < last:
            continue  # its text would run into the one before
        last = left + length
        marks += [Text(share, _HEIGHT + 16, named[value], anchor=anchor),
                  Line(share, _HEIGHT, share, _HEIGHT + 4, "tick")]  # fmt: skip
    tips: list[tuple[float, str]] = []
    for name, found in lines.items():
        own = sorted(found, key=lambda p: p.x)
        marks.append(Poly([(x.at(p.x), place(p.mean)) for p in own], "link baseline"))
        for p in own:
            if len(lines) <= _MOST_NAMED and not math.isnan(p.low):
                marks.append(
                    Line(x.at(p.x), place(p.high), x.at(p.x), place(p.low), f"wh {p.kind}")
                )
        tips.append((place(own[-1].mean), name))
    for p in points:
        marks.append(Dot(x.at(p.x), place(p.mean), 4.5, f"mean {p.kind}", p.title))
    drawn = svg(marks, _HEIGHT + 22, description)
    ordered = [name for _, name in sorted(tips)]
    if len(tips) <= 1 or len(tips) > _MOST_NAMED:
        return f'<div class="plot">{drawn}</div>'
    if max(map(len, ordered)) > _LONG:
        names = for_html("; ".join(ordered))
        said = f'<p class="cap">Lines at their right ends, from the top: {names}.</p>'
        return f'<div class="plot">{drawn}</div>{said}'
    return f'<div class="plot along">{drawn}{_names(sorted(tips))}</div>'


def _names(ends: list[tuple[float, str]]) -> str:
    """Names at the right ends of the lines, from the top, pushed apart."""
    tops = [top for top, _ in ends]
    for i in range(1, len(tops)):
        tops[i] = max(tops[i], tops[i - 1] + _LETTER)
    over = max(0.0, tops[-1] - (_HEIGHT - 8))
    tops = [top - over for top in tops]
    return "".join(
        f'<span class="lab b" style="top:{top:.1f}px" aria-hidden="true">{for_html(name)}</span>'
        for top, (_, name) in zip(tops, ends, strict=True)
    )
