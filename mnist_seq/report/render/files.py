"""Writes the renderings of a report into its folder."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from mnist_seq.report.markup.escape import for_folder
from mnist_seq.report.paper import document, figures, numbers
from mnist_seq.report.paper.document import Asked
from mnist_seq.report.paper.numbers import slug
from mnist_seq.report.render import markdown, report_json, table_csv
from mnist_seq.report.sections import all_sections
from mnist_seq.report.sections.methods import Methods
from mnist_seq.report.value import Report
from mnist_seq.runs.files import inside, make_folder, write_text

_TEXTS = ("report.html", "report.md", "report.csv", "report.tex", "numbers.tex", "report.json")


def write(
    report: Report, folder: Path, *, formats: Sequence[str], paper: Asked | None = None
) -> list[Path]:
    """Write the chosen renderings: those of `report.keys.FORMATS`.

    Args:
        paper: what is asked of report.tex.

    What an earlier report left in the folder goes: it may be of another comparison. Of several
    tasks, each has a whole report of its own in `tasks/<task>`.

    Returns:
        What was written, the page first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inside(folder, "figures")
    _remove_tasks(folder, {for_folder(task) for task in report.tasks})
    asked = paper or Asked(slug(report.title))
    for task, of_task in report.tasks.items():
        place = make_folder(folder, "tasks", for_folder(task))
        write(of_task, place, formats=formats, paper=asked.of_task(task))
    texts = {}
    drawing = None
    pictures: list[tuple[str, str]] = []
    svgs: dict[str, str] = {}
    if {"figures", "latex"} & set(formats):
        from mnist_seq.report.render.figures import Drawing, all_figures

        svgs = figures.drawn(report)
        own = all_figures(report) if "figures" in formats else []
        drawing = Drawing(own, folder / "figures", svgs)
    if "html" in formats:
        from mnist_seq.report.render import html

        texts["report.html"] = html.render(report, asked)
    if drawing is not None:
        pictures = drawing.finish()
    if "markdown" in formats:
        texts["report.md"] = markdown.render(report, figures=pictures)
    if "csv" in formats:
        texts["report.csv"] = table_csv.render(report)
    if "latex" in formats and not report.tasks:  # a paper has a table for each task
        setup = Methods.of(report)
        texts["report.tex"] = document.render(report, setup, asked, figures.pictures(report, svgs))
        texts["numbers.tex"] = numbers.render(report, setup, asked.name)
    if "json" in formats:
        texts["report.json"] = report_json.render(report)
    _remove_earlier(folder, {*texts, *(name for name, _ in pictures), *map(_png, svgs)})
    for name, text in texts.items():
        write_text(folder / name, text)
    written = [*texts, *["figures"] * bool(pictures or svgs), *["tasks"] * bool(report.tasks)]
    return [folder / name for name in written]


def _png(name: str) -> str:
    return f"figures/{name}.png"


def _remove_tasks(folder: Path, kept: set[str]) -> None:
    """Remove the reports of tasks that this comparison does not have."""
    for task in inside(folder, "tasks").glob("*"):
        if task.name not in kept and not task.is_symlink():
            _remove_earlier(task, set())
            with contextlib.suppress(OSError):  # not empty: it holds something else
                task.rmdir()
    with contextlib.suppress(OSError):
        (folder / "tasks").rmdir()


def _remove_earlier(folder: Path, kept: set[str]) -> None:
    """Remove what a report writes and this one does not; nothing else is touched."""
    known = [name for section in all_sections() for name in section.figures]
    known += figures.NAMES
    stale = [f"figures/{name}" for name in known if _png(name) not in kept]
    names = [name for name in _TEXTS if name not in kept]
    names += [f"{figure}.{kind}" for figure in stale for kind in ("png", "svg", "pdf")]
    for name in names:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            (folder / name).unlink()
    with contextlib.suppress(OSError):  # not empty, or not there
        (folder / "figures").rmdir()
