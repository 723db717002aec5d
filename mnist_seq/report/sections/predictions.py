"""What the runs say about single test images: confusions, and the images they disagree on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.analyse.predictions import Images, Predictions
from mnist_seq.report.charts.base import INK, tooltip
from mnist_seq.report.charts.figure import Figure, Panel, Tables
from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.markup.png import png
from mnist_seq.report.sections import Inputs, Section
from mnist_seq.report.value import Report
from mnist_seq.runs.text import plural
from mnist_seq.stats import Disagreements, confusion_matrix, disagreements

NUM_CONTESTED = 24  # pictures of the images that the runs agree least on
NUM_EXCHANGED = 8  # pictures a variant, each way
MAX_PANELS = 12  # more are no longer read; baselines are first in the report's order
_ERRORS = "#D55E00"
_PLAIN: dict[str, Any] = {"grid": False, "ticks": False, "domain": False}


@dataclass(frozen=True)
class Confusion:
    """Mean counts a run: row is the label, column the prediction."""

    variant: int
    n: int
    counts: tuple[tuple[float, ...], ...]


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


@dataclass(frozen=True)
class Exchanged:
    """Test images that most seeds of one side get right and most of the other wrong."""

    variant: int
    num_lost: int
    num_gained: int
    lost: tuple[Digit, ...]
    gained: tuple[Digit, ...]


@dataclass(frozen=True)
class Found:
    """What the runs say about single test images."""

    num_images: int
    num_contested: int
    confusions: tuple[Confusion, ...]
    contested: tuple[Digit, ...]
    exchanged: tuple[Exchanged, ...]


class SingleImages(Section[Found]):
    """Needs predictions of classes."""

    order = 100.0
    figures = ("confusions",)

    def compute(self, inputs: Inputs) -> Found | None:
        """Confusions, contested images, and those that a variant loses and gains."""
        return _found(inputs.groups, inputs.images)

    def charts(self, report: Report, part: Found) -> Sequence[Figure]:
        """Errors a run of each variant, label by prediction."""
        return [_confusions_figure(report, part)]

    def more_html(self, report: Report, part: Found) -> str:
        """The images that the runs agree least on, and those that each variant loses and gains."""
        return _images_html(report, part)


def _found(groups: Sequence[Group], images: Images | None) -> Found | None:
    table = Predictions(groups)
    if not table.rows:
        return None
    labels = table.labels
    whole = np.concatenate(list(table.rows.values()))
    contested = disagreements(labels, whole, whole).contested
    exchanges = []
    for place, group in enumerate(groups):
        base = group.baseline
        if base is not None and base != place and place in table.rows and base in table.rows:
            exchanges.append((place, disagreements(labels, table.rows[place], table.rows[base])))
    wanted = {int(i) for i in contested[:NUM_CONTESTED]}
    for _, found in exchanges:
        wanted |= {int(i) for i in (*found.lost[:NUM_EXCHANGED], *found.gained[:NUM_EXCHANGED])}
    pixels = _pixels(sorted(wanted), images)

    return Found(
        num_images=len(labels),
        num_contested=len(contested),
        confusions=tuple(_confusion(place, table) for place in table.rows),
        contested=tuple(_digit(int(i), labels, whole, pixels) for i in contested[:NUM_CONTESTED]),
        exchanged=tuple(
            _exchanged(place, found, labels, table.rows[place], pixels)
            for place, found in exchanges
        ),
    )


def _exchanged(
    place: int,
    found: Disagreements,
    labels: np.ndarray,
    rows: np.ndarray,
    pixels: dict[int, bytes],
) -> Exchanged:
    lost, gained = found.lost[:NUM_EXCHANGED], found.gained[:NUM_EXCHANGED]
    return Exchanged(
        variant=place,
        num_lost=len(found.lost),
        num_gained=len(found.gained),
        lost=tuple(_digit(int(i), labels, rows, pixels) for i in lost),
        gained=tuple(_digit(int(i), labels, rows, pixels) for i in gained),
    )


def _digit(index: int, labels: np.ndarray, rows: np.ndarray, pixels: dict[int, bytes]) -> Digit:
    classes, numbers = np.unique(rows[:, index], return_counts=True)
    order = np.argsort(-numbers, kind="stable")
    said = tuple((int(classes[i]), int(numbers[i])) for i in order)
    return Digit(index, int(labels[index]), said, pixels.get(index, b""))


def _confusion(place: int, table: Predictions) -> Confusion:
    rows = table.rows[place]
    found = [confusion_matrix(table.labels, row, table.num_classes) for row in rows]
    counts = np.mean(found, axis=0)
    return Confusion(place, len(rows), tuple(tuple(float(x) for x in row) for row in counts))


def _pixels(indexes: Sequence[int], images: Images | None) -> dict[int, bytes]:
    if not indexes or images is None:
        return {}
    found = images(indexes)
    if found is None:
        return {}
    return {
        i: bytes(np.ascontiguousarray(x, np.uint8)) for i, x in zip(indexes, found, strict=True)
    }


def _confusions_figure(report: Report, found: Found) -> Figure:
    shown = found.confusions[:MAX_PANELS]
    errors = [
        x for c in shown for i, row in enumerate(c.counts) for j, x in enumerate(row) if i != j
    ]
    most = max(errors, default=1.0)
    panels = tuple(Panel(_title(report, c), *_panel(c, most)) for c in shown)
    left = len(found.confusions) - len(shown)
    caption = (
        f"Mean number of the {found.num_images:,} test images a run with this label (row) that are "
        "read as another digit (column); right ones are left out. Darker is more, on one scale."
        + (f" {left} more variants are not drawn." if left else "")
    )
    return Figure("confusions", "Confusions", caption, panels)


def _panel(confusion: Confusion, most: float) -> tuple[Any, Tables]:
    tables = Tables()
    rows = [
        {"label": str(i), "prediction": str(j), "count": count, "text": f"{count:.1f}",
         "shown": f"{count:.0f}" if count >= 0.5 else ""}
        for i, row in enumerate(confusion.counts)
        for j, count in enumerate(row)
        if i != j
    ]  # fmt: skip
    base = alt.Chart(tables.add(rows)).encode(
        x=alt.X(
            "prediction:O", title="read as", axis=alt.Axis(labelAngle=0, orient="top", **_PLAIN)
        ),
        y=alt.Y("label:O", title="label", axis=alt.Axis(**_PLAIN)),
    )
    squares = base.mark_rect(color=_ERRORS).encode(
        fillOpacity=alt.FillOpacity(
            "count:Q", scale=alt.Scale(domain=[0, most], range=[0, 0.9]), legend=None
        ),
        tooltip=tooltip(label="label", prediction="read as", text="images a run"),
    )
    texts = base.mark_text(fontSize=9, color=INK).encode(text="shown:N")
    return alt.layer(squares, texts).properties(height=260), tables


def _title(report: Report, confusion: Confusion) -> str:
    return f"{report.variants[confusion.variant].name} (n={confusion.n})"


def _images_html(report: Report, found: Found) -> str:
    blocks = [
        '<section id="digits"><h2>Contested digits</h2><p class="caption">'
        f"{found.num_contested:,} of {found.num_images:,} test images are read differently by "
        "some runs; "
        f"here those {len(found.contested)} on which the runs are most evenly split between "
        "right and wrong: "
        "label, and what the runs read. Test images are no "
        "replicates: they illustrate a difference, the table above judges it.</p>",
        _digit_list(found.contested),
    ]
    for entry in found.exchanged:
        v = report.variants[entry.variant]
        blocks.append(
            f"<details><summary>{for_html(v.name)} against {for_html(v.baseline_name)}: "
            f"{entry.num_gained} images gained, {entry.num_lost} lost</summary>"
            "<p class='caption'>Gained: most seeds of the variant are right and most of the "
            "baseline "
            "wrong. Lost: the other way round. Predictions are the variant's; the widest gaps "
            "first.</p>"
            ""
            f"<h3>Gained</h3>{_digit_list(entry.gained)}<h3>Lost</h3>{_digit_list(entry.lost)}</details>"
        )
    return "".join(blocks) + "</section>"


def _digit_list(found: Iterable[Digit]) -> str:
    items = []
    for digit in found:
        said = ", ".join(
            f"as {cls} by {plural(n, 'run') if place == 0 else n}"
            for place, (cls, n) in enumerate(digit.predictions[:4])
        )
        picture = (
            f'<img alt="test image {digit.index}, a {digit.label}" src="{png(digit.pixels)}">'
            if digit.pixels
            else ""
        )
        items.append(f"<li>{picture}<b>{digit.label}</b>, image {digit.index}<br>read {said}</li>")
    return f'<ul class="digits">{"".join(items)}</ul>' if items else "<p>None.</p>"
