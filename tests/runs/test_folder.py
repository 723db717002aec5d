"""The states of a run folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_seq.runs.folder import RunFolder, find_runs

RESULT: dict[str, Any] = {"metrics": {}, "num_params": 1, "seconds": 1.0}


def test_the_state_is_read_from_what_lies_there(tmp_path: Path) -> None:
    """Nobody keeps a list of finished runs: a folder says it itself."""
    folder = RunFolder(tmp_path)
    assert folder.state() == "absent"
    folder.update_record(name="x")
    assert folder.state() == "interrupted"
    folder.write_error("Traceback\nValueError: no")
    assert folder.state() == "failed"
    folder.clear_error()
    folder.write_result(state="diverged", **RESULT)
    assert folder.state() == "diverged"
    folder.write_result(state="finished", **RESULT)
    assert folder.state() == "finished"


def test_a_result_without_a_known_state_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_result(state="going on", **RESULT)
    with pytest.raises(ValueError, match=r"state must be 'finished' or 'diverged': 'going on'"):
        folder.state()


def test_predictions_come_back_as_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    labels, predictions = np.array([7, 2, 1]), np.array([7, 2, 9])
    folder.write_predictions(labels, predictions)
    got = folder.predictions()
    np.testing.assert_array_equal(got[0], labels)
    np.testing.assert_array_equal(got[1], predictions)


def test_runs_are_found_below_a_sweep(tmp_path: Path) -> None:
    for name in ("seed=1", "seed=0"):
        (tmp_path / name).mkdir()
        RunFolder(tmp_path / name).update_record(name=name)
    (tmp_path / "notes").mkdir()
    assert [run.path.name for run in find_runs(tmp_path)] == ["seed=0", "seed=1"]


def test_a_run_that_was_moved_and_is_linked_to_is_found_once(tmp_path: Path) -> None:
    """The planner reuses it, so the comparison must see it too."""
    sweep, elsewhere = tmp_path / "sweep", tmp_path / "elsewhere"
    for folder in (sweep / "seed=1", elsewhere):
        folder.mkdir(parents=True)
        RunFolder(folder).update_record(name=folder.name)
    (sweep / "seed=0").symlink_to(elsewhere)
    (sweep / "again").symlink_to("seed=1")
    (sweep / "loop").symlink_to(".")
    (sweep / "nowhere").symlink_to("/proc/nonexistent/run")
    assert [run.path.name for run in find_runs(sweep)] == ["seed=0", "seed=1"]
