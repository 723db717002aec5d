"""The section on published numbers: which runs of a report repeat one, and how they count."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.published.judging import judge
from mnist_seq.published.measured import from_folder
from mnist_seq.published.rows import chosen, rows
from mnist_seq.report.sections.published import Published
from mnist_seq.runs.events import BY_ACCURACY
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


@pytest.mark.parametrize(("is_higher_better", "word"), [(True, "met"), (False, "not met")])
def test_the_task_of_the_runs_says_which_way_is_better(
    tmp_path: Path, is_higher_better: bool, word: str
) -> None:
    """A task of one's own may have an error of any name. The runs have 99.5 %, the paper 98.9."""
    facts = {**BY_ACCURACY["metrics"]["accuracy"], "higher_is_better": is_higher_better}
    for seed in range(3):
        run = write_repeat(tmp_path / "rows", name=f"run{seed}", seed=seed)
        run.update_record(task={"main": "accuracy", "metrics": {"accuracy": facts}})
    part = Published.of(report_of(tmp_path / "rows"))
    (row,) = chosen(["rows.lstm"], rows(only={"rows"}))
    stored = judge(row, from_folder(tmp_path / "rows", row))
    assert part is not None
    assert (part.verdicts[0].word, stored.word) == (word, word)
