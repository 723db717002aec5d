"""What a figure of a report is: panels, their charts and their tables; imports no altair."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

Rows = list[dict[str, Any]]


class Tables:
    """Rows of a chart by name: altair copies rows that stand in a chart at every step."""

    def __init__(self) -> None:
        self.rows: dict[str, Rows] = {}

    def add(self, rows: Rows) -> "alt.NamedData":
        """The rows as data of a chart."""
        import altair as alt  # takes most of a second, and not every report is drawn

        name = f"table{len(self.rows)}"
        self.rows[name] = rows
        return alt.NamedData(name=name)


@dataclass(frozen=True)
class Panel:
    """One chart of a figure."""

    title: str
    chart: Any
    tables: Tables


@dataclass(frozen=True)
class Figure:
    """Panels that belong together, with the caption that says what is drawn.

    Attributes:
        name: of its files (figures/<name>.png) and of its place on the page.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Drawing:
    """What the page draws of a section: HTML with charts, and the caption that says what they show.

    Attributes:
        title: above it, where a section has several; body: "" for nothing to draw.
    """

    title: str
    body: str
    caption: str = ""


def check_finite(figures: Sequence[Figure]) -> None:
    """Refuse values that JSON, and so a chart, cannot hold.

    Raises:
        ValueError: names the figure and the field.
    """
    for figure in figures:
        for panel in figure.panels:
            for row in itertools.chain.from_iterable(panel.tables.rows.values()):
                for field, value in row.items():
                    if isinstance(value, float) and not math.isfinite(value):
                        raise ValueError(f"{field} of the figure {figure.name} is {value}")
