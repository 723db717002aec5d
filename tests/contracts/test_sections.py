"""What every section of a report must do; one that is added is found by scanning."""

import dataclasses
import html
import json
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.report.render import markdown, wandb_report
from mnist_seq.report.render.figures import whole
from mnist_seq.report.render.html import render
from mnist_seq.report.sections import FORMATS, Section, all_sections, sections_of, tables_of
from mnist_seq.report.value import Report
from tests.report.sweeps import report_of, write_grid, write_repeat, write_run
from tests.report.test_renderings import HOSTILE, printed
from tests.report.test_suite import write_suite

SECTIONS = {section.name(): section for section in all_sections()}
MANY = 20  # trials, as many as importances ask for


def write_rich(sweep: Path) -> Path:
    """Two cells, one with a hostile name, at 20 learning rates: diagnosed, validated, tested."""
    for cell in ("lstm", HOSTILE):
        for i in range(MANY):
            for seed in range(2):
                run = write_run(sweep, cell, seed=seed, accuracy=0.9 + i / 300 + seed / 1000,
                                name=f"{len(cell)} {i} {seed}", optimizer__lr=0.001 * (i + 1),
                                num_evaluations=2)  # fmt: skip
                run.append_metrics({"step": 30, "seconds": 2.0, "valid/accuracy": 0.9,
                                    "gradient/t000": 0.1, "gradient/t027": 0.2,
                                    "gates/saturated": 0.1, "state/first": 1.0,
                                    "state/last": 2.0, "gradient_norm/all": 0.5,
                                    "weight_norm/all": 2.0, "gradient_norm/head.bias": 0.4,
                                    "weight_norm/head.bias": 0.3})  # fmt: skip
                metrics = run.result()["metrics"] | {"test@64/accuracy": 0.9 - seed / 10}
                run.write_result(**run.result() | {"metrics": metrics})
    return sweep


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[Report]:
    """A grid, a tuned comparison, several tasks, a published number: all that a section needs."""
    folder = tmp_path_factory.mktemp("sweeps")
    rich = write_rich(folder / "rich")
    grid = write_grid(folder / "grid", seeds=2)
    for seed in range(3):
        write_repeat(folder / "repeat", seed=seed)
    return [
        report_of(
            rich, over=("optimizer.lr",), importance="all", thresholds=(0.9, 0.95), pairs="all"
        ),
        report_of(grid, margin=0.1),
        report_of(write_suite(folder / "suite")),
        report_of(folder / "repeat"),
    ]


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """One run that failed before its first evaluation."""
    sweep = tmp_path_factory.mktemp("sweeps") / "poor"
    write_run(sweep, state="failed", num_evaluations=0)
    return report_of(sweep)


def parts(name: str, reports: list[Report]) -> list[tuple[Report, Any]]:
    found = [(report, report.parts[name]) for report in reports if name in report.parts]
    assert found, f"no sweep of this file has what {name} needs"
    return found


def test_sections_have_orders_and_figures_of_their_own() -> None:
    orders = [section.order for section in SECTIONS.values()]
    assert orders == sorted(set(orders))
    figures = [name for section in SECTIONS.values() for name in section.figures]
    assert len(set(figures)) == len(figures)


def test_a_report_without_results_has_few_sections(poor: Report) -> None:
    """What a run lacks is absent, not empty; what says where it comes from is always there."""
    assert not {"differences", "learning_curves", "costs", "predictions"} & set(poor.parts)
    page, text = render(poor), markdown.render(poor)
    assert "Code, versions, machine, data" in page
    assert "Where the numbers come from" in text


@pytest.mark.parametrize("name", SECTIONS)
def test_it_is_absent_or_complete_where_nothing_finished(name: str, poor: Report) -> None:
    section = SECTIONS[name]
    if name in poor.parts:
        for table in section.tables(poor, poor.parts[name]):
            assert table.rows, "a table without rows is no table"


@pytest.mark.parametrize("name", SECTIONS)
def test_its_part_is_a_frozen_value_that_it_gives_back(name: str, reports: list[Report]) -> None:
    for report, part in parts(name, reports):
        assert dataclasses.is_dataclass(part)
        assert type(part).__dataclass_params__.frozen  # type: ignore[attr-defined]
        assert SECTIONS[name].of(report) is part


@pytest.mark.parametrize("name", SECTIONS)
def test_its_renderings_change_nothing(name: str, reports: list[Report]) -> None:
    """Any rendering may ask first, and any number of times."""
    section = SECTIONS[name]
    for report, part in parts(name, reports):
        first, second = (shown(section, report, part) for _ in range(2))
        assert first == second


@pytest.mark.parametrize("name", SECTIONS)
def test_every_table_is_in_every_rendering_that_it_names(
    name: str, reports: list[Report], texts: dict[int, dict[str, str]]
) -> None:
    for report, part in parts(name, reports):
        for table in SECTIONS[name].tables(report, part):
            assert set(table.formats) <= set(FORMATS)
            assert all(len(row) == len(table.header) for row in table.rows)
            assert table.caption == "" or table.caption.endswith(".")
            for form in table.formats:
                # on the page the title of a section's figure stands for that of its table
                assert form == "html" or plain(table.title) in texts[id(report)][form], form
                assert plain(table.caption) in texts[id(report)][form], form
                for row in table.rows:
                    assert plain(row[-1]) in texts[id(report)][form], form


@pytest.mark.parametrize("name", SECTIONS)
def test_its_figures_are_named_and_can_be_drawn(name: str, reports: list[Report]) -> None:
    """A figure that the section does not name would not be removed when it is stale."""
    section = SECTIONS[name]
    drawn = set()
    for report, part in parts(name, reports):
        for figure in section.charts(report, part):
            drawn.add(figure.name)
            assert figure.caption.endswith(".")
            if figure.panels:
                json.dumps(whole(figure), allow_nan=False)
            for panel in figure.panels:
                panel.chart.to_dict(validate=True)
    assert drawn == set(section.figures)


@pytest.mark.parametrize("name", SECTIONS)
def test_no_name_becomes_markup(name: str, reports: list[Report]) -> None:
    section = SECTIONS[name]
    for report, part in parts(name, reports):
        assert "<script" not in section.more_html(report, part)
        assert "<script" not in section.more_markdown(report, part).replace("\\<", "")


def test_notes_are_among_the_decisions(reports: list[Report]) -> None:
    for report in reports:
        for section, part in sections_of(report):
            assert set(section.notes(part)) <= set(report.notes)


@pytest.fixture(scope="module")
def texts(reports: list[Report]) -> dict[int, dict[str, str]]:
    """Each report in each format, without what a format writes differently."""
    return {id(report): {form: plain(written(report, form)) for form in FORMATS}
            for report in reports}  # fmt: skip


def written(report: Report, form: str) -> str:
    if form == "html":
        return html.unescape(render(report))
    if form == "terminal":
        return printed(report, 500)
    if form == "markdown":
        return markdown.render(report)
    blocks = wandb_report.specification(report)["spec"]["blocks"]
    assert len(list(tables_of(report, "wandb"))) <= len(blocks)
    return " ".join(str(block) for block in blocks)


def plain(text: str) -> str:
    """Letters and digits alone: no format writes these differently."""
    return "".join(c for c in text if c.isalnum())


def shown(section: Section[Any], report: Report, part: Any) -> list[Any]:
    figures = [whole(figure) for figure in section.charts(report, part) if figure.panels]
    return [
        list(section.notes(part)),
        list(section.tables(report, part)),
        json.dumps(figures),
        section.more_html(report, part),
        section.more_markdown(report, part),
    ]
