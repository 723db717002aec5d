"""A made-up sweep that most tests only read."""

from pathlib import Path

import pytest

from tests.report.sweeps import write_grid


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cells, two widths, five seeds: 30 finished runs."""
    return write_grid(tmp_path_factory.mktemp("sweeps") / "made_up")
