"""Figures as files, drawn without a browser."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from altair import SCHEMA_URL
from altair.utils.schemapi import debug_mode

from mnist_seq.report.charts.base import CONFIG, WIDTH
from mnist_seq.report.charts.figure import Figure
from mnist_seq.report.sections import sections_of
from mnist_seq.report.value import Report
from mnist_seq.runs import files

_COLUMNS = 3


def all_figures(report: Report) -> list[Figure]:
    """Every figure that the report has data for, in the order of the page."""
    with debug_mode(False):  # what the charts may hold is checked by their tests, not at each use
        found = [
            figure
            for section, part in sections_of(report)
            for figure in section.charts(report, part)
        ]
    return [figure for figure in found if figure.panels]


class Drawing:
    """Figures on their way to SVG and PNG, drawn by a process of its own while the page is made."""

    def __init__(self, figures: Sequence[Figure], folder: Path) -> None:
        files.make_folder(folder.parent, folder.name)
        self._folder, self._figures = folder, figures
        # -m needs no file of ours; the child imports neither altair nor the report
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mnist_seq.report.render.draw", str(folder.resolve())],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            json.dump({figure.name: whole(figure) for figure in figures}, stdin)
        self._process.stdin = None

    def finish(self) -> list[tuple[str, str]]:
        """Wait for the pictures.

        Returns:
            (path relative to the report's folder, caption) of each picture.

        Raises:
            RuntimeError: they could not be drawn.
        """
        _, errors = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"figures could not be drawn: {errors.strip()}")
        return [
            (f"{self._folder.name}/{figure.name}.png", f"{figure.title}. {figure.caption}")
            for figure in self._figures
        ]


def whole(figure: Figure) -> dict[str, Any]:
    """All panels of a figure as one Vega-Lite specification, on white."""
    panels: list[dict[str, Any]] = []
    datasets: dict[str, Any] = {}
    for place, panel in enumerate(figure.panels):
        specification = _specification(panel.chart, f"{place}-")
        datasets |= {f"{place}-{name}": rows for name, rows in panel.tables.rows.items()}
        title = {"title": panel.title} if panel.title else {}
        panels.append({**specification, **title, "width": WIDTH})
    body = panels[0] if len(panels) == 1 else {"concat": panels, "columns": _COLUMNS}
    config = {**CONFIG, "background": "white"}
    return {"$schema": SCHEMA_URL, **body, "datasets": datasets, "config": config}


def panel_specifications(figure: Figure) -> list[tuple[str, dict[str, Any]]]:
    """Each panel by itself, as wide as its place on a page."""
    size = {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
    return [
        (
            panel.title,
            {"$schema": SCHEMA_URL, **_specification(panel.live or panel.chart, ""), **size,
             "datasets": panel.tables.rows, "config": CONFIG},
        )
        for panel in figure.panels
    ]  # fmt: skip


def _specification(chart: Any, prefix: str) -> dict[str, Any]:
    """A chart as Vega-Lite without what all charts share, its tables' names prefixed."""
    with debug_mode(False):
        found: dict[str, Any] = chart.to_dict(validate=False)
    for key in ("$schema", "config"):
        found.pop(key, None)
    _rename(found, prefix)
    return found


def _rename(node: Any, prefix: str) -> None:
    if isinstance(node, dict):
        data = node.get("data")
        if isinstance(data, dict) and "name" in data:
            node["data"] = {"name": prefix + data["name"]}
        for key, child in node.items():
            if key != "data":
                _rename(child, prefix)
    elif isinstance(node, list):
        for child in node:
            _rename(child, prefix)
