"""What is said of a run while it trains."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mnist_seq import compose, train_run
from mnist_seq.runs.events import Ended, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.waypoints.listener import open_waypoints
from tests.conftest import config_of
from tests.waypoints.conftest import WORDS, rewrite


def heard(run: RunFolder, rows: list[dict[str, Any]], *, seed: int = 5, ended: Ended) -> list[str]:
    """The lines of a run like this one with these evaluations."""
    output, record = io.StringIO(), run.record()
    config = config_of(*WORDS, f"seed={seed}")
    console = Console(file=output, width=200)
    (listener,) = open_waypoints(config, run, record["data"]["fingerprint"], console)
    listener.started(Started("lstm", run.path, 10, 32, 0, 8.0, "cpu"))
    for row in rows:
        listener.evaluated(row)
    listener.ended(ended)
    return output.getvalue().splitlines()


def test_a_run_hears_of_its_first_and_last_update_and_keeps_its_numbers(
    three: list[RunFolder], mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bit for bit: a listener reads the evaluations, and nothing else."""
    run = train_run(compose(*WORDS, "seed=1"), tmp_path / "again")
    lines = [line for line in capsys.readouterr().out.splitlines() if "waypoint" in line]
    assert [line.split(" updates")[0] for line in lines] == ["waypoint: at 4", "waypoint: at 12"]
    assert all("within what 3 seeds gave (tiny.a: " in line for line in lines)
    assert all(line.endswith(" %, this seed among them)") for line in lines)
    left = {"seconds", "crc32"}
    rows = [RunFolder(folder).metrics() for folder in (three[1].path, run.folder)]
    first, second = ([{k: v for k, v in r.items() if k not in left} for r in of] for of in rows)
    assert first == second
    assert {p.name for p in run.folder.iterdir()} == {p.name for p in three[1].path.iterdir()}


def test_a_run_without_a_curve_has_no_listener(mine: Path, tmp_path: Path) -> None:
    """It costs the reading of the folder, once."""
    config = config_of(*WORDS, "model.hidden=5")
    assert open_waypoints(config, RunFolder(tmp_path), "", Console()) == []


def test_a_broken_run_is_told_when_it_leaves_and_when_it_is_back(
    three: list[RunFolder], mine: Path
) -> None:
    """A terminal is not flooded: the first point, each change that lasts, the last point."""
    updates = [4 * (i + 1) for i in range(8)]
    rewrite(mine, updates=updates, mean=[0.9] * 8, sd=[0.02] * 8, lr=[0.01] * 8)
    values = (0.9, 0.5, 0.9, 0.1, 0.1, 0.1, 0.9, 0.9)
    rows = [
        {"step": update, "valid/accuracy": value, "optimizer/lr": 0.01}
        for update, value in zip(updates, values, strict=True)
    ]
    said = heard(three[0], [*rows[:1], {"step": 5}, *rows[1:]], ended=Ended("finished", 0))
    assert [line.split(" is ")[0].removeprefix("waypoint: ") for line in said] == [
        "at 4 updates valid/accuracy 90.00 %",
        "at 20 updates valid/accuracy 10.00 %",
        "at 28 updates valid/accuracy 90.00 %",
        "at 32 updates valid/accuracy 90.00 %",
    ]
    assert "worse than what 3 seeds gave" in said[1]
    assert "within what 3 seeds gave" in said[2]
    # stopped early at 8: its last point is said when it ends, and not where it was interrupted
    assert len(heard(three[0], rows[:2], ended=Ended("finished", 0))) == 2
    assert len(heard(three[0], rows[:2], ended=Ended("interrupted", 130))) == 1
