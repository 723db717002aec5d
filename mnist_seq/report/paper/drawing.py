"""Marks of a paper's figures in SVG: points of 1/72 inch, one text size, on white."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from mnist_seq.report.markup.escape import for_html

COLUMN, PAGE = 234.0, 486.0  # widths of one column and of two, 3.25 and 6.75 inches
SIZE, SMALL = 7.5, 6.6
INK, SOFT, GRID, GREY = "#16191d", "#555d67", "#dcdfe4", "#858d98"
COLORS = {"better": "#009E73", "worse": "#D55E00", "undecided": "#0072B2", "equivalent": "#CC79A7",
          "baseline": GREY}  # fmt: skip
_FONT = "Helvetica, Arial, Liberation Sans, sans-serif"
_LETTER = 0.56  # mean width of a letter, of the text's size


@dataclass
class Sheet:
    """A figure that grows mark by mark."""

    width: float
    height: float
    marks: list[str] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: str = "start",
        size: float = SIZE,
        color: str = INK,
        is_bold: bool = False,
    ) -> None:
        """A text on the line y."""
        weight = ' font-weight="700"' if is_bold else ""
        self.marks.append(
            f'<text x="{_f(x)}" y="{_f(y)}" text-anchor="{anchor}" font-size="{size:g}" '
            f'fill="{color}"{weight}>{for_html(text)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, color: str, width: float) -> None:
        """A straight line."""
        self.marks.append(
            f'<line x1="{_f(x1)}" y1="{_f(y1)}" x2="{_f(x2)}" y2="{_f(y2)}" stroke="{color}" '
            f'stroke-width="{width:g}"/>'
        )

    def blank(self, x: float, y: float, width: float, height: float) -> None:
        """White over what is drawn so far, below a text."""
        self.marks.append(
            f'<rect x="{_f(x)}" y="{_f(y)}" width="{_f(width)}" height="{_f(height)}" fill="#fff"/>'
        )

    def dot(self, x: float, y: float, radius: float, color: str, *, kind: str = "filled") -> None:
        """A round mark: "filled", "hollow", or "faint"."""
        look = {
            "filled": f'fill="{color}" stroke="#fff" stroke-width="0.6"',
            "hollow": f'fill="#fff" stroke="{color}" stroke-width="1.3"',
            "faint": f'fill="{color}" fill-opacity="0.4"',
        }[kind]
        self.marks.append(f'<circle cx="{_f(x)}" cy="{_f(y)}" r="{radius:g}" {look}/>')

    def curve(self, points: Sequence[tuple[float, float]], color: str, width: float) -> None:
        """A line through points."""
        path = " ".join(f"{_f(x)},{_f(y)}" for x, y in points)
        self.marks.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width:g}"/>'
        )

    def band(self, points: Sequence[tuple[float, float]], color: str) -> None:
        """An area within its border."""
        path = " ".join(f"{_f(x)},{_f(y)}" for x, y in points)
        self.marks.append(f'<polygon points="{path}" fill="{color}" fill-opacity="0.18"/>')

    def svg(self, title: str, description: str) -> str:
        """The whole figure; its unit is a point."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_f(self.width)}pt" '
            f'height="{_f(self.height)}pt" viewBox="0 0 {_f(self.width)} {_f(self.height)}" '
            f'role="img" font-family="{_FONT}"><title>{for_html(title)}</title>'
            f"<desc>{for_html(description)}</desc>"
            f'<rect width="{_f(self.width)}" height="{_f(self.height)}" fill="#fff"/>'
            f"{''.join(self.marks)}</svg>\n"
        )


@dataclass(frozen=True)
class Scale:
    """From values to places: `start` is where `low` lies, `end` where `high` does."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Round values within its ends, at most so many."""
        span = self.high - self.low
        for power in range(math.floor(math.log10(span)) - 2, math.floor(math.log10(span)) + 2):
            for factor in (1, 2, 5):
                step = factor * 10.0**power
                first = math.ceil(self.low / step - 1e-9)
                last = math.floor(self.high / step + 1e-9)
                if last - first + 1 <= most:
                    return [round(i * step, 12) for i in range(first, last + 1)]
        return [self.low, self.high]


def scale_over(values: Sequence[float], start: float, end: float, *, room: float = 0.04) -> Scale:
    """A scale over all values with room at both ends."""
    low, high = min(values), max(values)
    pad = room * (high - low) if high > low else max(1e-9, 0.1 * abs(high)) or 1.0
    return Scale(low - pad, high + pad, start, end)


def width_of(text: str, size: float = SIZE) -> float:
    """About how wide a text is."""
    return _LETTER * size * len(text)


def _f(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
