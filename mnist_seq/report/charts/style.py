"""Colour, marker, dash and place of each cell, the same in every figure.

Colours are those of Okabe & Ito (2008), told apart by readers with any common colour blindness. In
grey the first three differ in lightness (46, 71, 58 of 100), and every cell has a marker and a dash
of its own besides.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """How one cell, or one variant where there is one cell only, is drawn."""

    color: str
    marker: str  # a symbol of Vega
    dash: tuple[int, ...]  # () is a solid line


CELLS = {
    "lstm": Style("#0072B2", "circle", ()),
    "gru": Style("#E69F00", "square", (6, 2)),
    "rnn": Style("#009E73", "triangle-up", (2, 2)),
}
# For cells without a place of their own, in the order of their names
FURTHER = (
    Style("#D55E00", "diamond", (8, 2, 2, 2)),
    Style("#CC79A7", "cross", (10, 3)),
    Style("#56B4E9", "triangle-down", (4, 4)),
    Style("#8C7A00", "triangle-right", (1, 3)),  # Okabe-Ito's yellow, darkened to be read on white
    Style("#7F7F7F", "triangle-left", (6, 2, 1, 2, 1, 2)),
)
# Of verdicts, for the words of tables: never the only sign, the word says it
VERDICTS = {"better": "#009E73", "worse": "#D55E00", "equivalent": "#0072B2"}


def cell_place(cell: str) -> int:
    """Place of a cell in tables and legends; unknown cells follow, by name."""
    return list(CELLS).index(cell) if cell in CELLS else len(CELLS)


def cell_styles(cells: Iterable[str]) -> dict[str, Style]:
    """Style of each cell, in the order of legends."""
    names = sorted(set(cells), key=lambda cell: (cell_place(cell), cell))
    others = [name for name in names if name not in CELLS]
    further = {name: FURTHER[i % len(FURTHER)] for i, name in enumerate(others)}
    return {name: CELLS.get(name) or further[name] for name in names}


def variant_styles(names: Iterable[str]) -> dict[str, Style]:
    """Style of each variant of one cell: the baseline, named first, has the LSTM's alone.

    Beyond the eighth, colours come again, each with another marker and dash.
    """
    first, others = CELLS["lstm"], [*list(CELLS.values())[1:], *FURTHER]
    found: dict[str, Style] = {}
    for i, name in enumerate(dict.fromkeys(names)):
        rounds, place = divmod(i - 1, len(others))
        shifted = others[(place + rounds) % len(others)]
        found[name] = Style(others[place].color, shifted.marker, shifted.dash) if i else first
    return found


# Colours of the page and of figures as files: (light, dark). Marks have 3:1 on the ground and texts
# 4.5:1 (WCAG AA), which tests/report/test_page_style.py computes.
TOKENS = {
    "bg": ("#ffffff", "#111418"),
    "panel": ("#f5f6f8", "#1a1e24"),
    "ink": ("#16191d", "#e9ebee"),
    "soft": ("#555d67", "#a9b1bb"),
    "line": ("#e4e7eb", "#2b313a"),
    "rule": ("#b9bfc8", "#4a525d"),
    "baseline": ("#858d98", "#8b949f"),
    "baseline-text": ("#616973", "#a3acb6"),
    "undecided": ("#0072B2", "#56B4E9"),
    "undecided-text": ("#005f95", "#6cbdec"),
    "worse": ("#D55E00", "#F0803C"),
    "worse-text": ("#A84300", "#F5935A"),
    "better": ("#009E73", "#2BC296"),
    "better-text": ("#006B4E", "#43CDA4"),
    "equivalent": ("#CC79A7", "#DD9CC1"),
    "equivalent-text": ("#8F3A6C", "#E0A6C8"),
    "warn-bg": ("#fff6e5", "#2a2110"),
    "warn-line": ("#E69F00", "#E69F00"),
    "fail-bg": ("#fdf0e8", "#2c1a10"),
}
