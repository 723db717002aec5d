"""Marks of a chart, and the SVG that stretches with the page without stretching its texts.

x is a share of the plot's width (0 to 1), y is in pixels from the top. Lines through points lie in
an inner svg that is stretched; marks and texts hang on percentages. page.css has the classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_seq.report.markup.escape import for_html

_WIDE = 1000  # units of the inner svg: a tenth of a percent is finer than a pixel


@dataclass(frozen=True)
class Line:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    css: str


@dataclass(frozen=True)
class Poly:
    """A line through points, or the area within them."""

    points: Sequence[tuple[float, float]]
    css: str
    is_area: bool = False
    title: str = ""


@dataclass(frozen=True)
class Dot:
    """A circle; the title is shown to who points at it."""

    x: float
    y: float
    r: float
    css: str
    title: str = ""


@dataclass(frozen=True)
class Box:
    """A rectangle over shares of the width."""

    x1: float
    y1: float
    x2: float
    y2: float
    css: str


@dataclass(frozen=True)
class Text:
    """A text at (x, y), moved by (dx, dy) pixels."""

    x: float
    y: float
    text: str
    css: str = ""
    anchor: str = "middle"
    dx: float = 0
    dy: float = 0


@dataclass(frozen=True)
class Lead:
    """A short line from a mark to its name, in pixels around (x, y)."""

    x: float
    y: float
    x1: float
    y1: float
    x2: float
    y2: float


Mark = Line | Poly | Dot | Box | Text | Lead


def svg(marks: Sequence[Mark], height: float, description: str = "", css: str = "") -> str:
    """The chart as HTML. Without a description it is hidden from screen readers."""
    about = (
        f'role="img" aria-label="{for_html(description)}"' if description else 'aria-hidden="true"'
    )
    kind = f' class="{css}"' if css else ""
    return f'<svg{kind} width="100%" height="{_f(height)}" {about}>{_body(marks, height)}</svg>'


def _body(marks: Sequence[Mark], height: float) -> str:
    """Marks in their order; neighbouring lines through points share one inner svg."""
    out: list[str] = []
    inner: list[str] = []

    def close() -> None:
        if inner:
            out.append(
                f'<svg viewBox="0 0 {_WIDE} {_f(height)}" preserveAspectRatio="none" width="100%" '
                f'height="{_f(height)}">{"".join(inner)}</svg>'
            )
            inner.clear()

    for mark in marks:
        if isinstance(mark, Poly):
            inner.append(_poly(mark))
        else:
            close()
            out.append(_mark(mark))
    close()
    return "".join(out)


def _poly(mark: Poly) -> str:
    name = "polygon" if mark.is_area else "polyline"
    points = " ".join(f"{_f(_WIDE * x)},{_f(y)}" for x, y in mark.points)
    title = f"<title>{for_html(mark.title)}</title>" if mark.title else ""
    end = f">{title}</{name}>" if title else "/>"
    return f'<{name} class="{mark.css}" points="{points}"{end}'


def _mark(mark: Mark) -> str:
    if isinstance(mark, Line):
        return (
            f'<line class="{mark.css}" x1="{_p(mark.x1)}" y1="{_f(mark.y1)}" x2="{_p(mark.x2)}" '
            f'y2="{_f(mark.y2)}"/>'
        )
    if isinstance(mark, Box):
        width, height = mark.x2 - mark.x1, mark.y2 - mark.y1
        return (
            f'<rect class="{mark.css}" x="{_p(mark.x1)}" y="{_f(mark.y1)}" width="{_p(width)}" '
            f'height="{_f(height)}"/>'
        )
    if isinstance(mark, Dot):
        title = f"<title>{for_html(mark.title)}</title>" if mark.title else ""
        end = f">{title}</circle>" if title else "/>"
        return (
            f'<circle class="{mark.css}" cx="{_p(mark.x)}" cy="{_f(mark.y)}" r="{_f(mark.r)}"{end}'
        )
    if isinstance(mark, Lead):
        line = (
            f'<line class="lead" x1="{_f(mark.x1)}" y1="{_f(mark.y1)}" x2="{_f(mark.x2)}" '
            f'y2="{_f(mark.y2)}"/>'
        )
        return f'<svg class="anchor" x="{_p(mark.x)}" y="{_f(mark.y)}">{line}</svg>'
    assert isinstance(mark, Text)
    css = f' class="{mark.css}"' if mark.css else ""
    anchor = "" if mark.anchor == "start" else f' text-anchor="{mark.anchor}"'
    text = for_html(mark.text)
    dx = f' dx="{_f(mark.dx)}"' if mark.dx else ""
    return f'<text{css} x="{_p(mark.x)}" y="{_f(mark.y + mark.dy)}"{dx}{anchor}>{text}</text>'


def _f(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _p(share: float) -> str:
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"
