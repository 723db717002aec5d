"""Writes the renderings of a report into its folder."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from mnist_seq.report.render import markdown, table_csv
from mnist_seq.report.sections import all_sections
from mnist_seq.report.value import Report
from mnist_seq.runs.files import inside, write_text

_TEXTS = ("report.html", "report.md", "report.csv")


def write(report: Report, folder: Path, *, formats: Sequence[str]) -> list[Path]:
    """Write the chosen renderings: "html", "markdown", "csv", "figures".

    What an earlier report left in the folder goes: it may be of another comparison.

    Returns:
        What was written, the page first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inside(folder, "figures")
    texts = {}
    drawing = None
    pictures: list[tuple[str, str]] = []
    if {"figures", "html"} & set(formats):
        from mnist_seq.report.render.figures import Drawing, all_figures

        charts = all_figures(report)
        if "figures" in formats:
            drawing = Drawing(charts, folder / "figures")
        if "html" in formats:
            from mnist_seq.report.render import html

            texts["report.html"] = html.render(report, charts)
    if drawing is not None:
        pictures = drawing.finish()
    if "markdown" in formats:
        texts["report.md"] = markdown.render(report, figures=pictures)
    if "csv" in formats:
        texts["report.csv"] = table_csv.render(report)
    _remove_earlier(folder, {*texts, *(name for name, _ in pictures)})
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts] + ([folder / "figures"] if pictures else [])


def _remove_earlier(folder: Path, kept: set[str]) -> None:
    """Remove what a report writes and this one does not; nothing else is touched."""
    known = [name for section in all_sections() for name in section.figures]
    figures = [f"figures/{name}" for name in known if f"figures/{name}.png" not in kept]
    names = [name for name in _TEXTS if name not in kept]
    names += [f"{figure}.{kind}" for figure in figures for kind in ("png", "svg", "pdf")]
    for name in names:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            (folder / name).unlink()
    with contextlib.suppress(OSError):  # not empty, or not there
        (folder / "figures").rmdir()
