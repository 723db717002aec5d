"""W&B's report says what the local ones say, and is never in their way."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.report.paper.methods import paragraph
from mnist_seq.report.render import markdown, wandb_report
from mnist_seq.report.render.page.head import dek
from mnist_seq.report.sections.methods import Methods
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.texts.headline import headline
from mnist_seq.report.value import Report
from mnist_seq.runs.folder import find_runs
from tests import warm
from tests.conftest import clean_env
from tests.report.sweeps import report_of, write_grid
from tests.wandb_server import KEY, Run, serving


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A sweep whose runs are in W&B."""
    sweep = write_grid(tmp_path_factory.mktemp("sweeps") / "cells/1".replace("/", "-"), seeds=3)
    for i, run in enumerate(find_runs(sweep)):
        run.update_record(wandb={"id": f"id{i}", "mode": "online", "project": "p", "entity": "me"})
    return report_of(sweep)


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests may have one; nothing here may reach it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_SERVICE"):
        monkeypatch.delenv(name, raising=False)


def blocks(specification: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [b for b in specification["spec"]["blocks"] if b["type"] == kind]


def test_it_has_the_headline_and_the_tables_of_the_page(mirrored: Report) -> None:
    """So the numbers equal the local ones, whatever W&B computes in its panels."""
    specification = wandb_report.specification(mirrored)
    text = json.dumps(specification, ensure_ascii=False)
    for sentence in (*headline(mirrored), *dek(mirrored)):
        assert sentence in text
    first, *_, last = blocks(specification, "markdown-block")
    assert last["content"] == markdown.verdict_table(mirrored)
    d, names = words.decimals_of(mirrored), words.labels(mirrored)
    for v in mirrored.variants:
        (row,) = [r for r in first["content"].splitlines() if f"| {names[v.key]} " in r]
        assert fmt.number(v.mean, d) in row
        assert words.verdict(v) in row
        if v.compared:
            assert fmt.signed(v.compared.comparison.difference, d) in row.replace("\\", "")
    methods = Methods.of(mirrored)
    assert methods is not None
    assert paragraph(mirrored, methods) in text


def test_runs_are_grouped_by_variant_and_the_baseline_is_marked(mirrored: Report) -> None:
    first, second = blocks(wandb_report.specification(mirrored), "panel-grid")
    baseline, variants = first["metadata"]["runSets"]
    assert baseline["name"] == "baseline: LSTM, 32 hidden units; LSTM, 64 hidden units"
    assert len(baseline["filters"]["filters"][0]["value"]) == 6
    assert [g["name"] for g in variants["grouping"]] == ["model.value.name", "model.value.hidden"]
    kinds = {
        panel["viewType"]
        for grid in (first, second)
        for panel in grid["metadata"]["panelBankSectionConfig"]["panels"]
    }
    assert kinds == {"Run History Line Plot", "Bar Chart", "Parallel Coordinates Plot",
                     "Parameter Importance", "Scatter Plot", "Run Comparer"}  # fmt: skip


def test_offline_the_specification_is_kept_and_the_way_is_said(
    mirrored: Report, tmp_path: Path
) -> None:
    lines = wandb_report.publish(mirrored, tmp_path)
    assert json.loads((tmp_path / "wandb_report.json").read_text())["project"] == "p"
    assert lines[0] == f"written: {tmp_path / 'wandb_report.json'}"
    assert "not published, no credentials" in lines[1]
    assert "the same command publishes it" in lines[1]


def test_runs_that_were_never_mirrored_are_not_looked_for(grid: Path, tmp_path: Path) -> None:
    (_, line) = wandb_report.publish(report_of(grid), tmp_path)
    assert "no W&B project (tracker=none)" in line


def test_a_server_that_refuses_costs_nothing_but_a_line(
    mirrored: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local report is there already; W&B's troubles are no error."""
    monkeypatch.setattr(wandb_report, "_why_offline", lambda report: "")

    class Refused:
        def save(self) -> None:
            raise RuntimeError("permission\ndenied")

    compose = wandb_report._compose
    monkeypatch.setattr(
        wandb_report,
        "_compose",
        lambda report, is_online: Refused() if is_online else compose(report, is_online=False),
    )
    (_, line) = wandb_report.publish(mirrored, tmp_path)
    assert line.startswith("W&B report: not published, permission denied; once")


def test_a_published_report_is_named_by_its_address(
    mirrored: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb_workspaces.reports.v2 as wr

    monkeypatch.setattr(wandb_report, "_why_offline", lambda report: "")
    saved: list[Any] = []
    ids: list[str] = []

    def save(self: Any) -> None:
        ids.append(self.id)
        saved.append(self)
        self.id = "r1"

    monkeypatch.setattr(wr.Report, "save", save)
    monkeypatch.setattr(wr.Report, "url", "http://there/r1")
    for _ in range(2):
        (_, line) = wandb_report.publish(mirrored, tmp_path)
        assert line == "W&B report: http://there/r1"
    assert ids == ["", "r1"], "the second one takes the place of the first"
    report, _ = saved
    assert (report.entity, report.project) == ("me", "p")
    assert "/" not in report.title


def record(sweep: Path, *places: dict[str, str]) -> Path:
    """Say in run.json where W&B has the runs, the last place for all that follow."""
    for i, run in enumerate(find_runs(sweep)):
        run.update_record(wandb={"id": f"id{i}", "project": "p", **places[min(i, len(places) - 1)]})
    return sweep


def test_the_entity_is_that_of_the_runs_that_are_on_a_server(tmp_path: Path) -> None:
    """The first run was offline, and cannot know whose it will be."""
    offline = {"entity": "default", "project": "q", "mode": "offline", "url": ""}
    online = {"entity": "me", "mode": "online", "url": "http://there"}
    mirror = report_of(record(write_grid(tmp_path / "s", seeds=2), offline, online)).mirror
    assert (mirror.entity, mirror.project) == ("me", "p")
    lab = {**offline, "variables": {"WANDB_RUN_GROUP": "autumn"}}
    mirror = report_of(record(write_grid(tmp_path / "t", seeds=2), lab)).mirror
    assert (mirror.entity, mirror.project, mirror.groups) == ("", "q", ("autumn",))


@pytest.mark.slow
def test_an_entity_that_no_run_names_is_asked_for(tmp_path: Path) -> None:
    """Else the report's address would have no entity, and lead nowhere."""
    sweep = record(write_grid(tmp_path / "s", seeds=2), {"entity": "default"})
    with serving() as server:
        server.runs["p", "id0"] = Run("id0", fields={"project": "p"})
        # wandb does not start with the last two, which say nothing of a report
        env = {**clean_env(), "HOME": str(tmp_path), "WANDB_BASE_URL": server.url,
               "WANDB_API_KEY": KEY, "WANDB_RESUME": "odd", "WANDB_SILENT": ""}  # fmt: skip
        del env["PYTHONWARNINGS"]  # wandb's report client leaves sockets to the collector
        done = warm.run(
            [sys.executable, "-m", "mnist_seq.compare", f"sweep={sweep}", "wandb_report=true",
             "formats=[csv]"],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        (view,) = server.views.values()
    assert f"W&B report: {server.url}/me/p/reports/" in done.stdout, done.stdout + done.stderr
    assert view["project"]["entityName"] == "me"
    assert '"entityName": ""' not in json.dumps(view)
