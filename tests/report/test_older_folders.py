"""Folders that version 0.1.0 wrote are still compared: three cells, two seeds each, on mnist_5k."""

import shutil
from pathlib import Path

import pytest

from mnist_seq.notebook import build_report

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


def test_its_table_names_each_variant(older: Path) -> None:
    assert "| gru | not distinguishable | 2 | 70.15 |" in build_report(older)._repr_markdown_()
