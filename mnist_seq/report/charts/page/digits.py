"""Tables of recall and confusions, and pictures of the test examples that decide a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.markup.png import png
from mnist_seq.report.texts import fmt
from mnist_seq.runs.text import plural

_FAINT, _STRONG = 6, 46  # percent of colour in a cell: of the smallest, and what the largest adds


@dataclass(frozen=True)
class Digit:
    """A test image, and what the runs made of it.

    Attributes:
        predictions: (class, number of runs), most frequent first.
        pixels: 28 rows of 28 grey values as bytes; empty where the data cannot be found.
    """

    index: int
    label: int
    predictions: tuple[tuple[int, int], ...]
    pixels: bytes = b""

    @property
    def wrong(self) -> tuple[int, int] | None:
        """The most frequent wrong class and the number of its runs; None where all are right."""
        return next((said for said in self.predictions if said[0] != self.label), None)


@dataclass(frozen=True)
class HeatRow:
    """A row of recall: percent of a baseline, else differences to it in points."""

    name: str
    values: Sequence[float]
    is_baseline: bool


def heat(rows: Sequence[HeatRow], heads: Sequence[str], corner: str, caption: str) -> str:
    """A table with numbers whose cells are coloured by sign and size, on one scale."""
    sizes = [abs(x) for row in rows if not row.is_baseline for x in row.values]
    most = max(sizes, default=1.0) or 1.0
    lines = []
    for row in rows:
        if row.is_baseline:
            cells = "".join(f'<td class="b">{fmt.number(x, 0)}</td>' for x in row.values)
            lines.append(
                f'<tr class="base"><th scope="row">{for_html(row.name)}, %</th>{cells}</tr>'
            )
            continue
        cells = "".join(_cell(x, most) for x in row.values)
        lines.append(f'<tr><th scope="row">{for_html(row.name)}</th>{cells}</tr>')
    top = "".join(f'<th scope="col">{for_html(head)}</th>' for head in heads)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{for_html(caption)}">'
        f'<table class="heat"><caption class="vh">{for_html(caption)}</caption><thead><tr>'
        f'<th scope="col">{for_html(corner)}</th>{top}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(x: float, most: float) -> str:
    if abs(x) < 0.5:
        return "<td>0</td>"
    share = _FAINT + _STRONG * min(1.0, abs(x) / most)
    color = "better" if x > 0 else "worse"
    return (
        f'<td style="background:color-mix(in srgb,var(--{color}) {share:.0f}%,var(--bg))">'
        f"{fmt.signed(x, 0)}</td>"
    )


def confusions(
    counts: Sequence[Sequence[float]], names: Sequence[str], most: float, caption: str
) -> str:
    """Mean counts of one variant: row is the label, column what it is read as.

    Args:
        names: of the classes, a row and a column of each.
    """
    heads = "".join(f'<th scope="col">{for_html(name)}</th>' for name in names)
    lines = []
    for i, row in enumerate(counts):
        cells = []
        for j, x in enumerate(row):
            if i == j:
                cells.append('<td class="b">·</td>')
            elif x < 0.5:
                cells.append("<td></td>")
            else:
                share = _FAINT + _STRONG * min(1.0, x / most)
                cells.append(
                    f'<td style="background:color-mix(in srgb,var(--worse) {share:.0f}%,'
                    f'var(--bg))">{fmt.number(x, 0)}</td>'
                )
        lines.append(f'<tr><th scope="row">{for_html(names[i])}</th>{"".join(cells)}</tr>')
    return (
        f'<table class="heat small"><caption>{for_html(caption)}</caption><thead><tr>'
        f'<th scope="col">label</th>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    )


def pictures(found: Sequence[Digit], who: str, names: Sequence[str]) -> str:
    """Images with their label and the most frequent wrong reading: "5→3".

    Args:
        names: of the classes.
    """
    items = []
    for digit in found:
        said = digit.wrong
        wrong = "" if said is None else f"<i>→</i><em>{for_html(names[said[0]])}</em>"
        about = f"test example {digit.index}, labelled {names[digit.label]}"
        if said is not None:
            about += f", that {who} reads as {names[said[0]]} in {plural(said[1], 'run')}"
        tile = (
            f'<span class="tile"><img src="{png(digit.pixels)}" alt="{for_html(about)}" '
            'width="42" height="42"></span>'
            if digit.pixels
            else f'<span class="vh">{for_html(about)}: </span>'
        )
        items.append(f"<li>{tile}{for_html(names[digit.label])}{wrong}</li>")
    return f'<ul class="digits">{"".join(items)}</ul>' if items else '<p class="cap">None.</p>'


def exchange(
    name: str,
    group: str,
    sides: Sequence[tuple[str, Sequence[Digit], str]],
    names: Sequence[str],
) -> str:
    """One variant: for each side its words, its images, and who reads them wrong.

    Args:
        names: of the classes.
    """
    sub = f'<span class="sub">{for_html(group)}</span>' if group else ""
    blocks = "".join(
        f"<div><p>{for_html(text)}</p>{pictures(found, who, names)}</div>"
        for text, found, who in sides
    )
    return f'<div class="ex"><b>{for_html(name)}{sub}</b>{blocks}</div>'
