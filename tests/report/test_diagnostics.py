"""What the diagnostics logged is in the report, as medians over seeds."""

import html
import json
import math
from pathlib import Path

import pytest

from mnist_seq.report.render import markdown, wandb_report
from mnist_seq.report.render.figures import all_figures, whole
from mnist_seq.report.render.html import render
from mnist_seq.report.sections.diagnostics import Diagnostics
from mnist_seq.report.sections.norms import Norms, OfWeight
from mnist_seq.report.value import Report
from tests.report.sweeps import report_of, write_run
from tests.report.test_figures import nodes
from tests.report.test_renderings import printed


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """LSTM: seeds with gradients 1, 2 and 9 times 10^t. RNN: no gates, one gradient of 0."""
    sweep = tmp_path_factory.mktemp("sweeps") / "diagnosed"
    for seed, factor in enumerate((1.0, 2.0, 9.0)):
        for cell in ("lstm", "rnn"):
            run = write_run(sweep, cell, seed=seed, accuracy=0.9 + seed / 100, num_evaluations=0)
            for step in (10, 20):
                gates = {"gates/saturated": 0.01 * factor * step} if cell == "lstm" else {}
                first = factor * 1e-3 if cell == "lstm" else 0.0
                run.append_metrics({
                    "step": step, "seconds": step / 10, "valid/accuracy": 0.9,
                    "gradient/t000": first, "gradient/t014": factor * 1e-2,
                    "gradient/t027": factor * 1e-1, "state/first": 2.0, "state/last": factor * step,
                    **gates,
                })  # fmt: skip
    write_run(sweep, "gru", seed=0)
    return report_of(sweep)


def test_medians_over_seeds_with_the_ends(report: Report) -> None:
    found = Diagnostics.of(report)
    assert found is not None
    lstm, rnn = found.variants
    assert [report.variants[d.variant].name for d in found.variants] == ["lstm", "rnn"]
    assert (lstm.n, [p.step for p in lstm.gradient]) == (3, [1, 15, 28])
    start = lstm.gradient[0]
    assert (start.value, start.low, start.high) == pytest.approx((2e-3, 1e-3, 9e-3))
    assert lstm.reach == pytest.approx(0.01)
    assert [p.value for p in lstm.saturated] == pytest.approx([20, 40])
    assert [p.value for p in lstm.drift] == pytest.approx([10, 20])
    assert (lstm.first, lstm.last) == (2, 40)
    assert (rnn.saturated, rnn.reach) == ((), 0)


def test_the_figures_show_them_and_leave_out_what_a_log_axis_cannot(report: Report) -> None:
    figures = {figure.name: figure for figure in all_figures(report)}
    assert len(figures["gradients"].panels) == 1
    assert len(figures["states"].panels) == 2
    (panel,) = figures["gradients"].panels
    (rows,) = panel.tables.rows.values()
    assert len(rows) == 5, "three of the LSTM, two of the RNN"
    assert min(row["low"] for row in rows) > 0
    titles = {
        node["encoding"][axis]["title"]
        for name in ("gradients", "states")
        for node in nodes(whole(figures[name]))
        for axis in ("x", "y")
        if "title" in node.get("encoding", {}).get(axis, {})
    }
    assert titles == {"time step", "gradient norm", "training (steps)", "saturated gates (%)",
                      "norm of h, last / first step"}  # fmt: skip


def test_every_rendering_has_the_small_table(report: Report) -> None:
    for text in (printed(report, 300), markdown.render(report), html.unescape(render(report))):
        for part in ("Diagnostics", "0.002", "0.01", "40.0", "20.00"):
            assert part in text
    blocks = wandb_report.specification(report)["spec"]["blocks"]
    assert any("0.002" in b["content"] for b in blocks if b["type"] == "markdown-block")


def test_every_figure_is_there_once(report: Report) -> None:
    names = [figure.name for figure in all_figures(report)]
    assert {"gradients", "states"} < set(names)
    assert len(set(names)) == len(names)


def test_what_is_not_finite_is_said_and_leaves_the_rest(tmp_path: Path) -> None:
    """A gradient may overflow at a finite loss: JSON can only write null."""
    for cell in ("lstm", "gru"):
        for seed in range(2):
            run = write_run(tmp_path / "s", cell, seed=seed, num_evaluations=0)
            for step in (10, 20):
                is_odd = step == 20 and (cell == "gru" or seed == 1)
                run.append_metrics({
                    "step": step, "seconds": 1.0, "gradient/t000": None if is_odd else 0.1,
                    "gradient/t027": 0.5, "state/first": None if cell == "gru" else 2.0,
                    "state/last": None if cell == "gru" else 4.0, "gates/saturated": 0.1,
                })  # fmt: skip
    report = report_of(tmp_path / "s")
    found = Diagnostics.of(report)
    assert found is not None
    lstm, gru = found.variants
    assert [(d.n, d.num_not_finite) for d in (lstm, gru)] == [(2, 1), (2, 2)]
    assert (lstm.ends[1], lstm.last, lstm.drift[-1].value) == (0.5, 4, 2)
    for value in (lstm.ends[0], lstm.reach, gru.last, gru.drift[-1].value):
        assert math.isnan(value)
    said = "Values were logged that are not finite, and have no median: LSTM (1 of 2 runs); GRU (2"
    figures = {figure.name: figure for figure in all_figures(report)}
    for text in (markdown.render(report), html.unescape(render(report))):
        assert said in text.replace("\\", "")
    assert said in figures["gradients"].caption
    assert "NaN" not in json.dumps([whole(figure) for figure in figures.values()])


def test_a_sweep_without_diagnostics_has_no_such_part(grid: Path) -> None:
    report = report_of(grid)
    assert Diagnostics.of(report) is None
    assert not {"gradients", "states", "norms"} & {figure.name for figure in all_figures(report)}
    assert "Diagnostics" not in markdown.render(report)


def test_norms_are_medians_over_seeds_in_every_rendering(tmp_path: Path) -> None:
    """A norm that JSON could only write as null has no median, and the rest is drawn."""
    for cell in ("lstm", "gru"):
        for seed, factor in enumerate((1.0, 2.0, 9.0)):
            run = write_run(tmp_path / "s", cell, seed=seed, num_evaluations=0)
            for step in (10, 20):
                lost = cell == "gru" and step == 20 and seed == 1
                run.append_metrics({
                    "step": step, "seconds": 1.0, "weight_norm/all": factor * step,
                    "gradient_norm/all": None if lost else factor, "weight_norm/head.bias": 3.0,
                    "gradient_norm/head.bias": 0.5, "gradient_norm/rnn.w": 1.5,
                    "weight_norm/rnn.w": 2.5,
                })  # fmt: skip
    report = report_of(tmp_path / "s")
    found = Norms.of(report)
    assert found is not None
    lstm, gru = found.variants
    assert [(p.step, p.value, p.low, p.high) for p in lstm.weight] == [
        (10, 20, 10, 90), (20, 40, 20, 180),
    ]  # fmt: skip
    assert (lstm.first, lstm.last) == ((2, 20), (2, 40))
    assert lstm.each == (OfWeight("head.bias", 0.5, 3.0), OfWeight("rnn.w", 1.5, 2.5))
    assert (gru.num_not_finite, gru.last[1]) == (1, 40)
    assert math.isnan(gru.last[0])
    (figure,) = (figure for figure in all_figures(report) if figure.name == "norms")
    assert len(figure.panels) == 2
    page = html.unescape(render(report))
    for part in ("Norms of each weight", "GRU (1 of 3 runs)", "Norm of the weights", "rnn.w"):
        assert part in page
    assert "rnn.w" in printed(report, 300)
    panels = json.dumps(wandb_report.specification(report)["spec"])
    assert "gradient_norm/all" in panels
    assert "weight_norm/all" in panels
