"""The metric against a cost, each variant with its name beside its mark and clear of all others."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mnist_seq.report.charts.page.axis import Axis, is_wide, within
from mnist_seq.report.charts.page.scene import Dot, Lead, Line, Mark, Poly, Text, svg
from mnist_seq.report.texts import fmt

WIDTH, HEIGHT = 330, 250  # names are placed for the narrowest place of a chart; wider only loosens
_LETTER, _LINE = 7.4, 15  # widest mean letter and height of a line of 12 px text
_MOST_LETTERS = 24  # of a name that marks share
_MARK = 8  # half the side of the square that a mark keeps free
WHISKERS = 6  # points up to which whiskers stay apart; the table has all of them
_AROUND = ((1, 0, "start"), (-1, 0, "end"), (0.7, -0.9, "start"), (0.7, 0.9, "start"),
           (-0.7, -0.9, "end"), (-0.7, 0.9, "end"), (0, -1.1, "middle"),
           (0, 1.1, "middle"))  # fmt: skip
_DISTANCES = (10, 16, 26, 38, 52, 66)

Rect = tuple[float, float, float, float]


@dataclass(frozen=True)
class Item:
    """One mark.

    Attributes:
        name: beside it; "" for none; dropped where no place for it is free. `full`: in the tooltip.
        kind: of its verdict, or "baseline".
        line: items of one line are joined in their order; "" for none.
        is_first: its name gets a place before the names of others.
    """

    x: float
    y: float
    low: float
    high: float
    name: str
    full: str
    kind: str
    line: str = ""
    is_first: bool = False


@dataclass(frozen=True)
class Placed:
    """A name at (dx, dy) from its mark; `is_shown` is False where no place was free."""

    dx: float
    dy: float
    anchor: str
    is_shown: bool


def chart(
    items: Sequence[Item], *, x_text: Callable[[float], str], unit: str, description: str
) -> str:
    """The chart as HTML."""
    has_whiskers = len(items) <= WHISKERS
    x = Axis.over((i.x for i in items), before=0.14, after=0.14, is_log=is_wide(i.x for i in items))
    ends = [v for i in items for v in ((i.low, i.high) if has_whiskers else ())]
    means = [i.y for i in items]
    y = Axis.over([*means, *within(means, ends)], before=0.1, after=0.1)

    def place(value: float) -> float:
        return HEIGHT * (1 - y.at(value))

    marks: list[Mark] = []
    taken: list[Rect] = []
    y_ticks = y.ticks(5)
    for t in y_ticks:
        marks.append(Line(0, place(t), 1, place(t), "grid"))
        text = fmt.with_unit(fmt.plain(t), unit if t == y_ticks[-1] else "")
        marks.append(Text(0, place(t) - 3, text, "yt", "start"))
        taken.append((0, place(t) - _LINE, _LETTER * len(text), place(t)))
    marks.append(Line(0, HEIGHT, 1, HEIGHT, "axis"))
    for t in x.ticks(5):
        share = x.at(t)
        anchor = "start" if share < 0.04 else "end" if share > 0.96 else "middle"
        marks += [Text(share, HEIGHT + 16, x_text(t), anchor=anchor),
                  Line(share, HEIGHT, share, HEIGHT + 4, "tick")]  # fmt: skip
    joined = _lines(items)
    for css, own in joined:
        marks.append(Poly([(x.at(i.x), place(i.y)) for i in own], f"link {css}"))
    spots = [(x.at(i.x), place(i.y)) for i in items]
    taken += [(a * WIDTH - _MARK, b - _MARK, a * WIDTH + _MARK, b + _MARK) for a, b in spots]
    if has_whiskers:
        for item, (share, _) in zip(items, spots, strict=True):
            if not math.isnan(item.low):
                top, end = place(item.high), place(item.low)
                marks.append(Line(share, top, share, end, f"wh {item.kind}"))
                taken.append((share * WIDTH - 2, top, share * WIDTH + 2, end))
    lines = [
        box for _, own in joined for box in _along([(x.at(i.x) * WIDTH, place(i.y)) for i in own])
    ]
    texts = _shared(items, spots)
    names = placed(
        [(a * WIDTH, b, text) for (a, b), text in zip(spots, texts, strict=True)],
        taken,
        lines,
        first={i for i, item in enumerate(items) if item.is_first},
    )
    for (share, top), name in zip(spots, names, strict=True):
        if name.is_shown and math.hypot(name.dx, name.dy) > 18:
            ends_of = (0.4 * name.dx, 0.4 * name.dy, 0.85 * name.dx, 0.85 * name.dy)
            marks.append(Lead(share, top, *ends_of))
    for item, (share, top) in zip(items, spots, strict=True):
        marks.append(Dot(share, top, 5.5, f"mean {item.kind}", item.full))
    for item, (share, top), name, text in zip(items, spots, names, texts, strict=True):
        if name.is_shown:
            marks.append(Text(share, top, text, f"name {item.kind}", name.anchor,
                              dx=name.dx, dy=name.dy + 4))  # fmt: skip
    return f'<div class="plot wide">{svg(marks, HEIGHT + 22, description)}</div>'


def _shared(items: Sequence[Item], spots: Sequence[tuple[float, float]]) -> list[str]:
    """The name beside each mark; marks that touch and look alike have one name for all of them."""
    groups: list[list[int]] = []
    for i in sorted(range(len(items)), key=lambda i: spots[i][1]):
        for group in groups:
            is_alike = items[group[0]].kind == items[i].kind != "baseline"
            if is_alike and any(_apart(spots[i], spots[j]) < 11 for j in group):
                group.append(i)
                break
        else:
            groups.append([i])
    texts = [""] * len(items)
    for whole in groups:
        if not (group := [i for i in whole if items[i].name]):
            continue
        some = list(dict.fromkeys(items[i].name for i in group))
        num = len(some)
        while some[1:] and len(", ".join(some)) > _MOST_LETTERS:
            some.pop()
        more = f" +{num - len(some)}" if num > len(some) else ""
        texts[group[len(group) // 2]] = ", ".join(some) + more
    return texts


def _apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    return math.hypot((a[0] - b[0]) * WIDTH, a[1] - b[1])


def _lines(items: Sequence[Item]) -> list[tuple[str, list[Item]]]:
    """Items that are joined, with the class of their line."""
    found: dict[str, list[Item]] = {}
    for item in items:
        if item.line:
            found.setdefault(item.line, []).append(item)
    return [(own[0].kind, sorted(own, key=lambda i: i.x)) for own in found.values() if own[1:]]


def _along(points: Sequence[tuple[float, float]], num: int = 40) -> list[Rect]:
    """Small boxes along a line, which names keep clear of."""
    boxes = []
    for (x0, y0), (x1, y1) in pairwise(points):
        for k in range(num + 1):
            x, y = x0 + k / num * (x1 - x0), y0 + k / num * (y1 - y0)
            boxes.append((x - 2, y - 1, x + 2, y + 1))
    return boxes


def placed(
    names: Sequence[tuple[float, float, str]],
    taken: Sequence[Rect],
    lines: Sequence[Rect] = (),
    *,
    first: Collection[int] = (),
) -> list[Placed]:
    """A place for each name that overlaps nothing, the nearest of those around its mark.

    Greedy, from the right; a name for which no place is free is not shown: beside another's mark it
    would be read as that mark's.

    Args:
        names: (x, y, text) of the marks, in pixels.
        taken: boxes that no name may touch.
        lines: boxes that none touches but a name of `first` that finds no other place.
        first: positions of the names that get their places before the others.
    """
    boxes = list(taken)
    found: dict[int, Placed] = {}
    for i in sorted(range(len(names)), key=lambda i: (i not in first, -names[i][0])):
        place = _free(names, i, [*boxes, *lines])
        if place is None and i in first:
            place = _free(names, i, boxes)
        found[i], box = place or (Placed(0, 0, "start", is_shown=False), None)
        boxes += [box] if box else []
    return [found[i] for i in range(len(names))]


def _free(
    names: Sequence[tuple[float, float, str]], i: int, boxes: Sequence[Rect]
) -> tuple[Placed, Rect] | None:
    """The nearest place of a name that touches none of the boxes, with its own box."""
    x, y, text = names[i]
    for distance, (a, b, anchor) in ((d, around) for d in _DISTANCES for around in _AROUND if text):
        dx, dy = a * distance, b * distance
        box = _box(x + dx, y + dy, text, anchor)
        is_inside = box[0] >= 0 and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT
        is_free = is_inside and not any(_touch(box, other) for other in boxes)
        if is_free and _is_nearest(names, i, box):
            return Placed(dx, dy, anchor, is_shown=True), box
    return None


def _is_nearest(names: Sequence[tuple[float, float, str]], own: int, box: Rect) -> bool:
    """Whether a name is nearer to its own mark than to any other."""

    def distance(i: int) -> float:
        x, y, _ = names[i]
        return math.hypot(max(box[0] - x, 0, x - box[2]), max(box[1] - y, 0, y - box[3]))

    mine = distance(own)
    return all(distance(i) >= mine for i in range(len(names)) if i != own)


def _box(x: float, y: float, text: str, anchor: str) -> Rect:
    wide = _LETTER * len(text)
    left = x - (wide if anchor == "end" else wide / 2 if anchor == "middle" else 0)
    return left - 1, y - _LINE / 2, left + wide + 1, y + _LINE / 2


def _touch(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
