"""Probabilities beside the verdict, and the two models of one seed."""

from pathlib import Path

import pytest

from mnist_seq.report.columns import chosen
from mnist_seq.report.sections.models import ModelByModel
from mnist_seq.report.wording import NONE
from tests.report.sweeps import report_of, write_run


def test_the_interval_of_p_better_is_shown(grid: Path) -> None:
    """4 of 5 seeds is no 80 %: the interval says how far it may be from that."""
    report = report_of(grid)
    (column,) = chosen(report, ["p_better"])
    rnn = next(v for v in report.variants if v.name == "rnn, hidden=64")
    assert column.written(rnn) == "0.00 (0.00 to 0.52)"
    assert "Clopper-Pearson 95 % interval" in column.about


def test_probabilities_against_the_margin_stand_beside_the_verdict(grid: Path) -> None:
    report = report_of(grid, margin=0.1)
    (column,) = chosen(report, ["probability_better"])
    rnn = next(v for v in report.variants if v.name == "rnn, hidden=64")
    assert column.written(rnn) == "0.00/0.00/1.00"
    assert column.written(report.variants[0]) == NONE
    assert "margin of 0.1" in column.about
    assert chosen(report_of(grid), ["probability_better"]) == []


def test_one_pair_of_models_has_an_interval_over_test_images(tmp_path: Path) -> None:
    """With one seed it is all that can be said, and it says that it is of two models."""
    write_run(tmp_path / "s", "lstm", accuracy=0.8)
    write_run(tmp_path / "s", "gru", accuracy=0.95)
    report = report_of(tmp_path / "s")
    assert report.variants[1].compared is None
    part = ModelByModel.of(report)
    assert part is not None
    seed, difference, ends = part.first[1]
    assert (seed, ends.kind) == (0, "bootstrap")
    assert 0 < ends.low < difference < ends.high
    assert difference == pytest.approx(100 * part.by_variant[1].pairs[0].difference)
    (table,) = ModelByModel().tables(report, part)
    assert table.rows[0][-3] == "0"
    assert "covers other examples, and no other seeds" in table.caption
