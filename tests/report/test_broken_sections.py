"""A section that raises is left out with a warning; all else of the comparison is there."""

import logging
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.report.render import markdown
from mnist_seq.report.render.figures import all_figures
from mnist_seq.report.render.html import render
from mnist_seq.report.sections.costs import Costs
from mnist_seq.report.sections.learning_curves import LearningCurves
from mnist_seq.report.sections.runs import Runs
from tests.report.sweeps import report_of
from tests.report.test_renderings import printed


def raising(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("of one\nodd run")


WARNED = "the section {} is left out, because it has failed: ZeroDivisionError: of one odd run"


def test_a_section_that_raises_costs_a_warning_and_no_comparison(
    grid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One odd run must not end the comparison of all others."""
    whole = report_of(grid)
    monkeypatch.setattr(LearningCurves, "compute", raising)
    monkeypatch.setattr(Runs, "more_html", raising)
    report = report_of(grid)
    broken = {"learning_curves", "runs"}
    assert report.warnings == (
        *whole.warnings,
        WARNED.format("learning_curves"),
        WARNED.format("runs"),
    )
    assert set(report.parts) == set(whole.parts) - broken
    assert report.variants == whole.variants
    for text in (printed(report, 200), markdown.render(report)):
        assert "learning" in text


def test_a_chart_that_raises_costs_its_section_the_pictures(
    grid: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    report = report_of(grid)
    monkeypatch.setattr(Costs, "charts", raising)
    with caplog.at_level(logging.WARNING):
        figures = all_figures(report)
    assert [record.getMessage() for record in caplog.records] == [WARNED.format("costs")]
    assert figures
    assert "</html>" in render(report)
