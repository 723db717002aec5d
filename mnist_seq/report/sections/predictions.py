"""What the runs say about single test examples: confusions, and those they disagree on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.analyse.predictions import (
    Confusion,
    Images,
    Predictions,
    class_names,
    confusion,
    most_confused,
    pixels_of,
)
from mnist_seq.report.charts.base import INK, tooltip
from mnist_seq.report.charts.figure import Drawing, Figure, Panel, Tables
from mnist_seq.report.charts.page.digits import Digit, HeatRow, confusions, exchange, heat, pictures
from mnist_seq.report.charts.page.multiples import parted
from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.read.task_record import TaskRecord
from mnist_seq.report.sections import Inputs, Section
from mnist_seq.report.texts import words
from mnist_seq.report.value import Report
from mnist_seq.runs.text import plural
from mnist_seq.stats import Disagreements, disagreements

NUM_CONTESTED = 24  # pictures of the images that the runs agree least on
NUM_EXCHANGED = 8  # pictures a variant, each way
NUM_GAINED = 4  # of them, shown of those that a variant gains
MOST_BLOCKS = 4  # variants whose images are shown at once
MAX_TABLES = 6  # of confusions on the page
MAX_PANELS = 12  # more are no longer read; baselines are first in the report's order
_LEVEL = 4  # letters of a name that is written level above its column
_ERRORS = "#D55E00"
_PLAIN: dict[str, Any] = {"grid": False, "ticks": False, "domain": False}


@dataclass(frozen=True)
class Exchanged:
    """Test images that most seeds of one side get right and most of the other wrong.

    Predictions are of the side that is wrong: of `lost` the variant's, of `gained` its baseline's.
    """

    variant: int
    num_lost: int
    num_gained: int
    lost: tuple[Digit, ...]
    gained: tuple[Digit, ...]


@dataclass(frozen=True)
class Found:
    """What the runs say about single test examples.

    Attributes:
        names: of all classes.
        shown: the classes that tables show.
        noun: word for the examples.
    """

    num_images: int
    num_contested: int
    confusions: tuple[Confusion, ...]
    contested: tuple[Digit, ...]
    exchanged: tuple[Exchanged, ...]
    names: tuple[str, ...]
    shown: tuple[int, ...]
    noun: str

    @property
    def left(self) -> str:
        """The classes that tables do not show, as a sentence."""
        num = len(self.names) - len(self.shown)
        return f" {num} more classes, which are confused less, are not shown." if num else ""


class SingleImages(Section[Found]):
    """Needs predictions of classes."""

    order = 100.0
    figures = ("confusions",)
    heading = "Where predictions differ"
    lead = "Which classes a variant loses or gains, and the test examples that decide it."

    def compute(self, inputs: Inputs) -> Found | None:
        """Confusions, contested images, and those that a variant loses and gains."""
        return _found(inputs.groups, inputs.images, inputs.task)

    def charts(self, report: Report, part: Found) -> Sequence[Figure]:
        """Errors a run of each variant, label by prediction."""
        return [_confusions_figure(report, part)]

    def drawn(self, report: Report, part: Found) -> Sequence[Drawing]:
        """Recall by class, against the baseline."""
        caption = (
            "Share of each class that is read right, mean over runs: percent for a baseline, "
            "difference in points for the variants. Colour has one scale for the whole table: "
            f"green for more than the baseline, orange for less.{part.left}"
        )
        return [Drawing("Recall by class", _recall(report, part), caption)]

    def more_html(self, report: Report, part: Found) -> str:
        """Confusions, and the images that each variant loses and gains."""
        return _confused(report, part) + _contested(report, part)


def _found(groups: Sequence[Group], images: Images | None, task: TaskRecord) -> Found | None:
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
    pixels = pixels_of(sorted(wanted), images)
    found_confusions = tuple(confusion(place, table) for place in table.rows)
    names = class_names(task, len(found_confusions[0].counts))
    return Found(
        num_images=len(labels),
        num_contested=len(contested),
        confusions=found_confusions,
        contested=tuple(_digit(int(i), labels, whole, pixels) for i in contested[:NUM_CONTESTED]),
        exchanged=tuple(
            _exchanged(place, found, labels, table, groups[place].baseline, pixels)
            for place, found in exchanges
        ),
        names=names,
        shown=most_confused(found_confusions, len(names)),
        noun=task.noun,
    )


def _exchanged(
    place: int,
    found: Disagreements,
    labels: np.ndarray,
    table: Predictions,
    base: int | None,
    pixels: dict[int, bytes],
) -> Exchanged:
    assert base is not None
    lost, gained = found.lost[:NUM_EXCHANGED], found.gained[:NUM_EXCHANGED]
    return Exchanged(
        variant=place,
        num_lost=len(found.lost),
        num_gained=len(found.gained),
        lost=tuple(_digit(int(i), labels, table.rows[place], pixels) for i in lost),
        gained=tuple(_digit(int(i), labels, table.rows[base], pixels) for i in gained),
    )


def _digit(index: int, labels: np.ndarray, rows: np.ndarray, pixels: dict[int, bytes]) -> Digit:
    classes, numbers = np.unique(rows[:, index], return_counts=True)
    order = np.argsort(-numbers, kind="stable")
    said = tuple((int(classes[i]), int(numbers[i])) for i in order)
    return Digit(index, int(labels[index]), said, pixels.get(index, b""))


def _confusions_figure(report: Report, found: Found) -> Figure:
    shown = found.confusions[:MAX_PANELS]
    errors = [
        x for c in shown for i, row in enumerate(c.counts) for j, x in enumerate(row) if i != j
    ]
    most = max(errors, default=1.0)
    panels = tuple(Panel(_title(report, c), *_panel(found, c, most)) for c in shown)
    left = len(found.confusions) - len(shown)
    caption = (
        f"Mean number of the {found.num_images:,} test {found.noun} a run with this label (row) "
        "that are read as another class (column); right ones are left out. Darker is more, on one "
        f"scale.{found.left}" + (f" {left} more variants are not drawn." if left else "")
    )
    return Figure("confusions", "Confusions", caption, panels)


def _panel(found: Found, confusion: Confusion, most: float) -> tuple[Any, Tables]:
    tables, names = Tables(), [found.names[i] for i in found.shown]
    rows = [
        {"label": found.names[i], "prediction": found.names[j], "count": count,
         "text": f"{count:.1f}", "shown": f"{count:.0f}" if count >= 0.5 else ""}
        for i, j, count in ((i, j, confusion.counts[i][j]) for i in found.shown
                            for j in found.shown if i != j)
    ]  # fmt: skip
    angle = 0 if max(map(len, names)) <= _LEVEL else -45
    base = alt.Chart(tables.add(rows)).encode(
        x=alt.X(
            "prediction:O",
            title="read as",
            sort=names,
            axis=alt.Axis(labelAngle=angle, orient="top", **_PLAIN),
        ),
        y=alt.Y("label:O", title="label", sort=names, axis=alt.Axis(**_PLAIN)),
    )
    squares = base.mark_rect(color=_ERRORS).encode(
        fillOpacity=alt.FillOpacity(
            "count:Q", scale=alt.Scale(domain=[0, most], range=[0, 0.9]), legend=None
        ),
        tooltip=tooltip(label="label", prediction="read as", text=f"{found.noun} a run"),
    )
    texts = base.mark_text(fontSize=9, color=INK).encode(text="shown:N")
    return alt.layer(squares, texts).properties(height=260), tables


def _title(report: Report, confusion: Confusion) -> str:
    return f"{report.variants[confusion.variant].label} (n={confusion.n})"


def _recall(report: Report, found: Found) -> str:
    """Share of each class that is read right: of a baseline, and differences to it."""
    recalls = {c.variant: c.recall for c in found.confusions}
    rows = []
    for family in words.families(report):
        base = recalls.get(family.baseline.key) if family.baseline else None
        first, _ = parted(report, family)
        for v in (*([family.baseline] if family.baseline else []), *first):
            own = recalls.get(v.key)
            if own is None:
                continue
            is_base = v.is_baseline or base is None
            values = own if is_base else [x - y for x, y in zip(own, base or own, strict=True)]
            rows.append(HeatRow(family.short(v), [values[i] for i in found.shown], is_base))
    return heat(rows, [found.names[i] for i in found.shown], "Class", "Recall by class")


def _confused(report: Report, found: Found) -> str:
    """Confusions of the baselines and the first variants, folded."""
    shown = found.confusions[:MAX_TABLES]
    most = max((x for c in shown for i, row in enumerate(c.counts)
                for j, x in enumerate(row) if i != j), default=1.0)  # fmt: skip
    names = words.labels(report)
    tables = "".join(
        confusions(
            [[c.counts[i][j] for j in found.shown] for i in found.shown],
            [found.names[i] for i in found.shown],
            most or 1.0,
            f"{names[c.variant]}, {plural(c.n, 'run')}",
        )
        for c in shown
    )
    left = len(found.confusions) - len(shown)
    more = f" {left} more variants are not shown." if left else ""
    return (
        f"<details><summary>Confusions</summary><div><p class='cap'>Mean number of the "
        f"{found.num_images:,} test {for_html(found.noun)} a run with this label (row) that are "
        "read as another class (column); 0 is left empty. Darker is more, on one "
        f"scale.{found.left}{more}</p>"
        f'<div class="pair">{tables}</div></div></details>'
    )


def _contested(report: Report, found: Found) -> str:
    """The examples that variants lose and gain, and those that the runs agree least on."""
    noun = for_html(found.noun)
    by_variant = {entry.variant: entry for entry in found.exchanged}
    blocks: list[str] = []
    for family in words.families(report):
        base = family.labels[family.baseline.key] if family.baseline else ""
        for v in family.members:
            if (entry := by_variant.get(v.key)) is None:
                continue
            name = family.labels[v.key]
            lost = f"{base} right, {name} wrong: {entry.num_lost:,}; {name} reads"
            gained = f"{name} right, {base} wrong: {entry.num_gained:,}; {base} reads"
            sides = [(lost, entry.lost, name), (gained, entry.gained[:NUM_GAINED], base)]
            blocks.append(exchange(name, family.title, sides, found.names))
    first = blocks if len(blocks) <= MOST_BLOCKS else blocks[: MOST_BLOCKS - 1]
    later = blocks[len(first) :]
    more = (
        f"<details><summary>The other {len(later)}</summary><div>{''.join(later)}</div></details>"
        if later
        else ""
    )
    split = (
        f"<details><summary>{noun.capitalize()} on which all runs are most evenly split <span>"
        f"{found.num_contested:,} of {found.num_images:,} are read differently by some runs</span>"
        f"</summary><div>{pictures(found.contested, 'some', found.names)}</div></details>"
        if found.contested
        else ""
    )
    key = (
        "Key: 5→3 is a 5 that is most often read as a 3. Right: in more than half of the runs. "
        f"Shown are the {noun} with the widest gap between the two. Test {noun} are no "
        "replicates: they illustrate a difference, the answer's table judges it."
    )
    return f'<h3>Contested {noun}</h3><p class="cap">{key}</p>{"".join(first)}{more}{split}'
