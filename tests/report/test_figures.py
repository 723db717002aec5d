"""Figures say what they show; their pixels are looked at by people, not by tests."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.report.charts import base as charts
from mnist_seq.report.charts import style
from mnist_seq.report.paper import figures as paper
from mnist_seq.report.render import figures
from mnist_seq.report.render.figures import Drawing, all_figures, whole
from mnist_seq.report.sections.learning_curves import LearningCurves
from mnist_seq.report.value import Report
from tests.report.sweeps import report_of, write_run


@pytest.fixture(scope="module")
def report(grid: Path) -> Report:
    return report_of(grid, margin=0.1, thresholds=(0.9, 0.95))


def test_every_figure_is_drawn_for_a_grid(report: Report) -> None:
    figures = {figure.name: len(figure.panels) for figure in all_figures(report)}
    assert figures == {
        "differences": 1, "learning_curves": 2, "costs": 2, "factors": 1, "thresholds": 2,
        "confusions": 6,
    }  # fmt: skip


def test_bands_are_drawn_whole(tmp_path: Path) -> None:
    """Seeds far apart have an interval beyond all; cut off, it would look like none."""
    for seed, accuracy in enumerate((0.9, 0.86, 0.86)):
        write_run(tmp_path / "s", seed=seed, accuracy=accuracy)
    curves = LearningCurves.of(report_of(tmp_path / "s"))
    assert curves is not None
    ends = [end for p in curves.means[0] for end in (p.low, p.high)]
    assert min(ends) < min(value for run in curves.runs for value in run.values)
    assert max(ends) > max(value for run in curves.runs for value in run.values)
    assert (curves.low, curves.high) == (min(ends), min(100, max(ends)))


def test_two_seeds_are_two_curves_and_no_band(tmp_path: Path) -> None:
    """The interval of two seeds is thirteen times as wide as they lie apart: it says nothing."""
    for seed, accuracy in enumerate((0.9, 0.86)):
        for cell in ("lstm", "gru"):
            write_run(tmp_path / "s", cell, seed=seed, accuracy=accuracy)
    report = report_of(tmp_path / "s")
    curves = LearningCurves.of(report)
    assert curves is not None
    assert all(math.isnan(p.low + p.high) for p in curves.means[0])
    values = [value for run in curves.runs for value in run.values]
    assert (curves.low, curves.high) == (min(values), max(values))
    svg = paper.drawn(report)["curves-column"]
    assert (svg.count("<polyline"), "<polygon" in svg) == (6, False), "4 runs and 2 means"
    (picture,) = paper.pictures(report, {"curves-column": svg})
    assert picture.caption.endswith("thin: single runs.")


def test_one_evaluation_a_run_is_no_curve(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(tmp_path / "s", seed=seed, accuracy=0.9 + seed / 100, num_evaluations=1)
    names = [figure.name for figure in all_figures(report_of(tmp_path / "s"))]
    assert "learning_curves" not in names
    assert "costs" in names


def test_pictures_are_written_without_a_browser(report: Report, tmp_path: Path) -> None:
    written = Drawing(all_figures(report), tmp_path / "figures").finish()
    for name, caption in written:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / name).with_suffix(".pdf").read_bytes().startswith(b"%PDF")
        svg = (tmp_path / name).with_suffix(".svg").read_text()
        assert svg.startswith("<svg")
        assert "NaN" not in svg
        assert caption.endswith(".")


def test_axes_have_titles_and_units(report: Report) -> None:
    """A chart is passed around without its page."""
    titles = set()
    for figure in all_figures(report):
        for node in nodes(whole(figure)):
            for axis in ("x", "y"):
                title = node.get("encoding", {}).get(axis, {}).get("title")
                titles |= {title} if title else set()
    assert {"valid accuracy (%)", "training (steps)", "training time (s)", "test accuracy (%)",
            "difference to the baseline (points)"} <= titles  # fmt: skip


def test_a_cell_looks_the_same_in_every_figure(report: Report) -> None:
    """Colour, marker and dash are one fact in one place."""
    for figure in all_figures(report):
        for node in nodes(whole(figure)):
            scale = node.get("encoding", {}).get("color", {}).get("scale")
            if scale:
                assert dict(zip(scale["domain"], scale["range"], strict=True)) == {
                    cell.upper(): style.CELLS[cell].color for cell in ("lstm", "gru", "rnn")
                }


def test_cells_are_told_apart_in_grey_and_by_marker() -> None:
    every = [*style.CELLS.values(), *style.FURTHER]
    assert len({s.marker for s in every}) == len(every)
    assert len({s.dash for s in every}) == len(every)
    assert len({s.color for s in every}) == len(every)
    light = sorted(lightness(s.color) for s in style.CELLS.values())
    assert all(b - a > 10 for a, b in pairwise(light))


def test_a_new_cell_gets_a_look_of_its_own_and_changes_no_other() -> None:
    styles = style.cell_styles(["mgu", "gru", "lstm", "indrnn"])
    assert list(styles) == ["lstm", "gru", "indrnn", "mgu"]
    assert styles["gru"] == style.CELLS["gru"]
    assert len({s.color for s in styles.values()}) == 4


def test_charts_are_thinned_but_keep_their_ends(report: Report) -> None:
    from mnist_seq.report.read.curves import thinned

    assert thinned(list(range(10)), 4) == [0, 4, 8, 9]
    assert thinned(list(range(9)), 4) == [0, 4, 8]
    assert thinned([1, 2], 9) == [1, 2]


def test_specifications_are_plain_json_of_altairs_schema(report: Report) -> None:
    """Validation is off in use for speed; here it is on."""
    import altair as alt

    for figure in all_figures(report):
        for panel in figure.panels:
            json.dumps(panel.tables.rows, allow_nan=False)
            panel.chart.to_dict(validate=True)
    assert charts.CONFIG["background"] == "transparent"
    assert alt.SCHEMA_VERSION.startswith("v6")


def test_a_figure_that_cannot_be_drawn_is_named_and_the_others_are_drawn(tmp_path: Path) -> None:
    """One odd figure, of a section of one's own say, does not cost the report."""
    command = [sys.executable, "-m", "mnist_seq.report.render.draw", str(tmp_path)]
    good = {"data": {"values": [{"x": 1}]}, "mark": "point", "encoding": {"x": {"field": "x"}}}
    given = json.dumps({"bad": {"mark": 3}, "good": good})
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    reasons = dict(map(json.loads, done.stdout.splitlines()))
    assert reasons["bad"]
    assert reasons["good"] == ""
    assert {path.name for path in tmp_path.iterdir()} == {"good.svg", "good.png", "good.pdf"}


@pytest.mark.slow
def test_a_report_with_an_undrawable_figure_is_whole(
    report: Report,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A character that SVG lacks ends the drawing process; such characters are escaped before."""
    monkeypatch.setattr(figures, "for_charts", lambda specification: specification)
    figure = all_figures(report)[0]
    bad = replace(figure, name="bad", panels=(replace(figure.panels[0], title="a\x08b"),))
    pictures = Drawing([bad, figure], tmp_path / "figures").finish()
    assert [name for name, _ in pictures] == [f"figures/{figure.name}.png"]
    assert "figure bad could not be drawn" in caplog.text


def nodes(value: Any) -> list[dict[str, Any]]:
    """All objects inside a specification."""
    if isinstance(value, list):
        return [node for child in value for node in nodes(child)]
    if isinstance(value, dict):
        return [value, *(node for child in value.values() for node in nodes(child))]
    return []


def lightness(color: str) -> float:
    """CIE L* of a colour, 0 to 100."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * y ** (1 / 3) - 16
