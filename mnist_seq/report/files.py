"""Writes the renderings of a report into its folder."""

from collections.abc import Sequence
from pathlib import Path

from mnist_seq.report import markdown, table_csv
from mnist_seq.report.value import Report
from mnist_seq.runs.files import write_text


def write(report: Report, folder: Path, *, formats: Sequence[str]) -> list[Path]:
    """Write the chosen renderings: "html", "markdown", "csv", "figures".

    Returns:
        What was written, the page first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {}
    drawing = None
    pictures: list[tuple[str, str]] = []
    if {"figures", "html"} & set(formats):
        from mnist_seq.report.figures import Drawing, all_figures

        charts = all_figures(report)
        if "figures" in formats:
            drawing = Drawing(charts, folder / "figures")
        if "html" in formats:
            from mnist_seq.report import html

            texts["report.html"] = html.render(report, charts)
    if drawing is not None:
        pictures = drawing.finish()
    if "markdown" in formats:
        texts["report.md"] = markdown.render(report, figures=pictures)
    if "csv" in formats:
        texts["report.csv"] = table_csv.render(report)
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts] + ([folder / "figures"] if pictures else [])
