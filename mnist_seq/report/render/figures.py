"""Figures as files, drawn without a browser."""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from altair import SCHEMA_URL
from altair.utils.schemapi import debug_mode

from mnist_seq.report.charts.base import CONFIG, WIDTH
from mnist_seq.report.charts.figure import Figure
from mnist_seq.report.markup.escape import for_charts
from mnist_seq.report.sections import figures_of
from mnist_seq.report.value import Report
from mnist_seq.runs import files

log = logging.getLogger("mnist_seq.report")

_COLUMNS = 3


def all_figures(report: Report) -> list[Figure]:
    """Every figure that the report has data for, in the order of the page."""
    with debug_mode(False):  # what the charts may hold is checked by their tests, not at each use
        return list(figures_of(report))


class Drawing:
    """Figures on their way to files, drawn by a process of its own while the page is made."""

    def __init__(
        self, figures: Sequence[Figure], folder: Path, svgs: Mapping[str, str] | None = None
    ) -> None:
        """Begin to draw.

        Args:
            svgs: further ones by their names, drawn already.
        """
        files.make_folder(folder.parent, folder.name)
        self._folder, self._figures = folder, figures
        self._left: dict[str, Any] = {figure.name: whole(figure) for figure in figures}
        self._left |= svgs or {}
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        """Begin to draw what is left."""
        # -m needs no file of ours; the child imports neither altair nor the report
        process = subprocess.Popen(
            [sys.executable, "-m", "mnist_seq.report.render.draw", str(self._folder.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert process.stdin is not None
        with process.stdin as stdin:
            stdin.write(json.dumps(self._left))  # thrice as fast as json.dump
        process.stdin = None
        return process

    def finish(self) -> list[tuple[str, str]]:
        """Wait for the pictures. One that cannot be drawn costs a warning.

        Returns:
            (path relative to the report's folder, caption) of each picture.
        """
        undrawn: dict[str, str] = {}
        while self._left:
            output, errors = self._process.communicate()
            for name, reason in map(json.loads, output.splitlines()):
                del self._left[name]
                undrawn |= {name: reason} if reason else {}
            if self._left:  # the process died of the first of them
                name = next(iter(self._left))
                del self._left[name]
                undrawn[name] = (errors.strip().splitlines() or ["no reason given"])[0]
                if self._left:
                    self._process = self._start()
        for name, reason in undrawn.items():
            log.warning("figure %s could not be drawn, and is left out: %s", name, reason)
        return [
            (f"{self._folder.name}/{figure.name}.png", f"{figure.title}. {figure.caption}")
            for figure in self._figures
            if figure.name not in undrawn
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
    return _escaped({**body, "datasets": datasets, "config": config})


def _escaped(body: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": SCHEMA_URL, **for_charts(body)}


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
