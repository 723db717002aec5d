"""The sections of a report: one file each, found by scanning this folder.

A section is one part of the report. Its file, `report/sections/<name>.py`, defines one subclass of
`Section`; nothing else is edited. `build` and the renderings do the rest, in this order:

1. `compute(inputs)` is called once, where the whole report is asked for. It returns the section's
   part, a frozen dataclass with every number that the section shows, or None where the runs lack
   what the section needs: then the section is absent from every rendering. The part lies in
   `Report.parts` under the section's name; `Costs.of(report)` gives it back with its type.
2. `notes(part)`, `tables(report, part)`, `charts(report, part)` for figures as files and
   `drawn(report, part)` for the page are called by renderings, in any number and order. They read
   the part and the report; they compute nothing and save nothing.
3. `more_html` and `more_markdown` add what no table can hold. Every text in them must be escaped.

A part that cannot be had is None, not an error. A section that raises is left out, with a warning
that names it: one odd run must not end a comparison.
"""

import functools
import importlib
import logging
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.analyse.predictions import Images
from mnist_seq.report.analyse.searches import Subject
from mnist_seq.report.charts.figure import Drawing, Figure, check_finite
from mnist_seq.report.options import Options
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.read.run import Run
from mnist_seq.report.read.task_record import TaskRecord
from mnist_seq.report.value import Pair, Report, Variant
from mnist_seq.runs.text import one_line

FORMATS = ("html", "markdown", "wandb", "terminal")
APPENDIX = 200.0  # sections from this order on say what the numbers rest on, after all pictures

Part = TypeVar("Part")

log = logging.getLogger("mnist_seq.report")


@dataclass(frozen=True)
class Table:
    """Rows of text under a header, declared once for all renderings; they escape every text.

    Attributes:
        header: one title a column; the first column names what a row is about.
        caption: sentences below it, each with its full stop.
        name: of its place on the page (`<name>-table`); the section's where it is empty.
        wrap: headers of columns with long texts, which may break over lines.
        formats: the renderings that show it, of `FORMATS`.
        is_answer: whether the terminal shows it without being asked for details.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    name: str = ""
    wrap: tuple[str, ...] = ()
    formats: tuple[str, ...] = FORMATS
    is_answer: bool = False


@dataclass(frozen=True)
class Inputs:
    """What sections compute their parts from.

    Attributes:
        groups: runs by variant; a group's position is the `key` of its variant.
        variants: the numbers and the verdict of each group.
        keys: the swept keys, which name the variants.
        runs: those of all groups, in the order in which they were read.
        selector: the validation metric that choices and searches go by.
        task: what the runs are trained on: its output, its metrics.
        subjects: the searches among the runs; `weighed`: those whose importances are asked for.
        images: pictures of test examples by their indexes; None where they cannot be had.
        seconds_differ: why the variants' seconds do not compare; "" where they do.
        pairs: every pair of variants, where all are asked for.
        tasks: the reports of several tasks, for the sections `of_tasks`.
    """

    groups: Sequence[Group]
    variants: Sequence[Variant]
    keys: Sequence[str]
    runs: Sequence[Run]
    metric: Metric
    selector: Metric
    task: TaskRecord
    options: Options
    subjects: Sequence[Subject]
    weighed: Sequence[Subject]
    images: Images | None = None
    seconds_differ: str = ""
    pairs: Sequence[Pair] = ()
    tasks: Mapping[str, Report] = field(default_factory=dict)


class Section(Generic[Part]):
    """One part of the report.

    Attributes:
        order: its place on the page; each section has its own.
        figures: names of all figures that it may draw, so that stale ones are removed.
        logged: metrics of its own that W&B's report plots along the steps.
        of_tasks: whether it shows several tasks together, and not one; None: either.
        heading: its title on the page, a noun; that of its first drawing or table where it is "".
        lead: one line below the heading, which says what is drawn.
    """

    order: ClassVar[float]
    figures: ClassVar[tuple[str, ...]] = ()
    logged: ClassVar[tuple[str, ...]] = ()
    of_tasks: ClassVar[bool | None] = False
    heading: ClassVar[str] = ""
    lead: ClassVar[str] = ""

    @classmethod
    def name(cls) -> str:
        """The name of its file."""
        return cls.__module__.rpartition(".")[2]

    @classmethod
    def of(cls, report: Report) -> Part | None:
        """What it computed for a report; None where it is absent."""
        return cast("Part | None", report.parts.get(cls.name()))

    def compute(self, inputs: Inputs) -> Part | None:
        """Its part of the report; None where the runs lack what it needs."""
        raise NotImplementedError

    def notes(self, part: Part) -> Sequence[str]:
        """What a reader should know of how it was made; sentences without a full stop."""
        return ()

    def tables(self, report: Report, part: Part) -> Sequence[Table]:
        """Its tables."""
        return ()

    def drawn(self, report: Report, part: Part) -> Sequence[Drawing]:
        """What the page draws; its tables are folded below. Every text escaped."""
        return ()

    def charts(self, report: Report, part: Part) -> Sequence[Figure]:
        """Its figures as files; one without panels is not drawn."""
        return ()

    def more_html(self, report: Report, part: Part) -> str:
        """What the page shows below its figures and tables; every text escaped."""
        return ""

    def more_markdown(self, report: Report, part: Part) -> str:
        """What report.md shows below its tables; every text escaped."""
        return ""


@functools.cache
def all_sections() -> tuple[Section[Any], ...]:
    """Every section of this folder, in the order of the page.

    Raises:
        TypeError: a file that does not define exactly one section, or two with one order.
    """
    found: dict[float, Section[Any]] = {}
    for entry in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = importlib.import_module(f"mnist_seq.report.sections.{entry.name}")
        own = [
            kind
            for kind in vars(module).values()
            if isinstance(kind, type)
            and issubclass(kind, Section)
            and kind.__module__ == module.__name__
        ]
        if len(own) != 1:
            raise TypeError(f"a file of report/sections defines one Section: {entry.name} {own}")
        if (other := found.setdefault(own[0].order, own[0]())).name() != entry.name:
            raise TypeError(
                f"sections have orders of their own: {entry.name} and {other.name()} have "
                f"{own[0].order}"
            )
    return tuple(found[order] for order in sorted(found))


@dataclass(frozen=True)
class Computed:
    """What the sections have computed.

    Attributes:
        parts: by the name of the section; those that lack what they need are left out.
        warnings: one for each section that has raised.
    """

    parts: dict[str, Any]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def computed(inputs: Inputs) -> Computed:
    """The parts of all sections with their notes."""
    parts: dict[str, Any] = {}
    notes: list[str] = []
    warnings: list[str] = []
    for section in all_sections():
        if section.of_tasks not in (None, bool(inputs.tasks)):
            continue
        try:
            part = section.compute(inputs)
            if part is not None:
                notes += section.notes(part)
                parts[section.name()] = part
        except Exception as error:
            warnings.append(_left_out(section, error))
    return Computed(parts, tuple(notes), tuple(warnings))


def without_broken(report: Report) -> Report:
    """The report without the sections whose texts raise, with a warning for each."""
    broken: dict[str, str] = {}
    for section, part in sections_of(report):
        try:
            section.tables(report, part)
            section.drawn(report, part)
            section.more_html(report, part)
            section.more_markdown(report, part)
        except Exception as error:
            broken[section.name()] = _left_out(section, error)
    parts = {name: part for name, part in report.parts.items() if name not in broken}
    return replace(report, parts=parts, warnings=(*report.warnings, *broken.values()))


def figures_of(report: Report) -> Iterator[Figure]:
    """The figures of all sections that have panels; one that cannot be drawn costs a warning."""
    for section, part in sections_of(report):
        try:
            found = [figure for figure in section.charts(report, part) if figure.panels]
            check_finite(found)
        except Exception as error:
            log.warning("%s", _left_out(section, error))
            continue
        yield from found


def _left_out(section: Section[Any], error: Exception) -> str:
    return f"the section {section.name()} is left out, because it has failed: {one_line(error)}"


def sections_of(report: Report) -> Iterator[tuple[Section[Any], Any]]:
    """The sections that a report has, each with its part, in the order of the page."""
    if report.parts:  # else it is a table alone, which waits for no chart's library
        for section in all_sections():
            if section.name() in report.parts:
                yield section, report.parts[section.name()]


def tables_of(report: Report, form: str) -> Iterator[Table]:
    """The tables that a rendering shows, in the order of the page."""
    for section, part in sections_of(report):
        yield from (t for t in section.tables(report, part) if form in t.formats)
