"""Folders that version 0.1.0 wrote are still compared: three cells, two seeds each, on mnist_5k."""

import shutil
from pathlib import Path

import pytest

from mnist_seq.notebook import build_report
from mnist_seq.report.render import html, markdown

OLDER = Path(__file__).parent / "older" / "cells"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A copy, since a report is written beside the runs."""
    return Path(shutil.copytree(OLDER, tmp_path / "cells"))


def test_a_sweep_of_version_0_1_0_gives_the_numbers_that_version_0_1_0_gave(older: Path) -> None:
    """A user who upgrades must not lose a finished sweep, nor see another number."""
    report = build_report(older)
    found = {
        v.name: (v.n, round(v.mean, 2), round(v.low, 2), round(v.high, 2), v.num_params)
        for v in report.variants
    }
    assert found == {
        "lstm": (2, 65.15, 34.02, 96.28, 24_714),
        "gru": (2, 70.15, -18.16, 158.46, 18_698),
        "rnn": (2, 48.20, 36.76, 59.64, 6_666),
    }
    assert [(v.name, v.word, v.is_baseline) for v in report.variants] == [
        ("lstm", "baseline", True),
        ("gru", "not distinguishable", False),
        ("rnn", "not distinguishable", False),
    ]
    assert report.skipped == ()


def test_its_table_and_its_page_name_each_variant(older: Path) -> None:
    report = build_report(older)
    assert "| GRU | undecided | 2 | 70.15 |" in markdown.render(report)
    page = html.render(report)
    assert "The GRU and the RNN cannot be told apart from the LSTM with 2 seeds." in page
    assert page.count('<tr class="v"') == 2
