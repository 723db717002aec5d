"""A report says how far its numbers reach."""

import html
from pathlib import Path

import pytest

from mnist_seq.report.columns import chosen
from mnist_seq.report.render import markdown
from mnist_seq.report.render.html import render
from mnist_seq.stats import Rule, detectable_at, detectable_difference, judge, paired_comparison
from tests.report.sweeps import report_of, write_run
from tests.report.test_lost_runs import GRU, LSTM
from tests.report.test_renderings import printed


def test_what_an_interval_covers_is_said_in_every_rendering(grid: Path) -> None:
    """Whoever reads "95 %" must know of what: of seeds, and of no other test images."""
    report = report_of(grid, margin=0.1)
    covers, tost = report.cautions
    assert "one seed moves the split, the initial weights, the order of the batches" in covers
    p = report.variants[0].mean / 100
    assert f"standard error of {100 * (p * (1 - p) / 400) ** 0.5:.2f} points over n=400" in covers
    assert tost.endswith("equivalence is tested at 0.05 in each of the 4 comparisons")
    page = html.unescape(render(report))
    for text in (printed(report, 200), markdown.render(report), page):
        assert "one seed moves the split" in text
        assert "equivalence is tested at 0.05" in text
    assert "\n\nIntervals and p are over seeds" in markdown.render(report)
    assert len(report_of(grid).cautions) == 1
    assert report_of(grid, where="model=lstm model.hidden=64").cautions == ()


def test_p_is_conditional_on_what_over_chose(tmp_path: Path) -> None:
    for cell in ("lstm", "gru"):
        for lr in (0.1, 0.01):
            for seed in range(2):
                write_run(tmp_path / "s", cell, seed=seed, accuracy=0.9 + lr, optimizer__lr=lr)
    report = report_of(tmp_path / "s", over=("optimizer.lr",))
    assert "conditional on the values of optimizer.lr that were chosen" in report.cautions[-1]


def test_the_best_lstm_is_named_where_only_the_matched_one_is_beaten(grid: Path) -> None:
    """The GRU of 32 units beats the LSTM of 32, and stays behind the LSTM of 64."""
    report = report_of(grid)
    best = next(v for v in report.variants if v.name == "lstm, hidden=64")
    assert report.besides == (
        "GRU, 32 hidden units beats its own baseline and not the best LSTM of these runs on "
        f"validation, LSTM, 64 hidden units ({best.mean:.2f} %)",
    )
    assert report_of(grid, where="model.hidden=32").besides == ()


def test_a_threefold_size_suggests_a_matched_one(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(tmp_path / "s", "lstm", seed=seed)
        write_run(tmp_path / "s", "lstm", hidden=256, seed=seed)
        run = write_run(tmp_path / "s", "rnn", seed=seed)
        run.write_result(**run.result() | {"num_params": 1_600})
    (warning,) = report_of(tmp_path / "s", where="model.hidden=64").warnings
    assert "RNN 1,600 against 6,400; model.match=lstm-64 compares cells of one size" in warning
    assert report_of(tmp_path / "s", where="model=lstm").warnings == ()


def test_needed_and_detectable_stand_on_one_footing() -> None:
    """At the number of seeds that is advised, the observed difference is detectable."""
    found = paired_comparison(GRU, LSTM)
    rule = Rule()
    needed = judge([found] * 8, rule)[0].needed_seeds
    assert needed is None  # a difference of 0.3 points with such a spread
    at_8 = detectable_at(found, rule, 8)
    assert at_8 == pytest.approx(detectable_difference(8, found.sd_difference, alpha=0.05 / 8))
    assert detectable_at(found, rule, 1) == pytest.approx(found.detectable)
    assert detectable_at(found, Rule(correction="none"), 8) == pytest.approx(found.detectable)


def test_the_table_says_at_which_level_a_difference_is_detectable(grid: Path) -> None:
    (column,) = chosen(report_of(grid), ["detectable_corrected"])
    assert column.about.endswith("at the strictest level of the correction, 0.05 / 4")
