"""The section on published numbers: which runs of a report repeat one, and how they count."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.report.sections.published import Published
from tests.report.sweeps import report_of, write_repeat

SUBSET = {"data": {"data": "mnist_5k"}}  # it stood in for MNIST


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([{}, {}, {}], ("met", "", 3)),
        ([{}, {}, {}, {"state": "diverged"}], ("not decided", "1 of 4 diverged", 3)),
        ([SUBSET] * 3, None),
        (
            [{}, {}, {}, {"seed": 0, "device": {"kernel": "torch"}}],
            ("not decided", "a seed counts twice", 4),
        ),
        (
            [{}, {}, {}, {"optimizer__lr": 0.5}],
            ("not decided", "the runs have several configs", 4),
        ),
    ],
)
def test_only_seeds_of_one_config_decide(
    tmp_path: Path, changes: Sequence[Mapping[str, Any]], expected: tuple[str, str, int] | None
) -> None:
    """More runs of one seed or of another config would narrow the interval, and say nothing."""
    for i, change in enumerate(changes):
        write_repeat(tmp_path / "rows", name=f"run{i}", **{"seed": i, **change})
    part = Published.of(report_of(tmp_path / "rows"))
    found = [(each.word, each.why, each.n) for each in part.verdicts] if part else [None]
    assert found == [expected]
