"""Whatever lies in a sweep folder is read, or named with the reason why not."""

import shutil
from pathlib import Path

import pytest

from mnist_seq.report.read.collect import collect
from mnist_seq.report.read.errors import CannotCompare
from tests.report.sweeps import report_of, write_run


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """Two good runs a cell, and every kind of damage beside them."""
    sweep = tmp_path / "messy"
    for cell in ("lstm", "gru"):
        for seed in range(2):
            write_run(sweep, cell, seed=seed, accuracy=0.95 + 0.001 * seed)
    write_run(sweep, "gru", seed=2, state="failed")
    write_run(sweep, "gru", seed=3, state="interrupted")
    write_run(sweep, "gru", seed=4, state="diverged")
    write_run(sweep, "lstm", seed=2, name="torn result").result_path.write_text('{"state": "fin')
    write_run(sweep, "lstm", seed=3, name="odd result").result_path.write_text('{"state": "odd"}')
    write_run(sweep, "lstm", seed=4, name="poor result").result_path.write_text(
        '{"state": "finished", "metrics": {}}'
    )
    write_run(sweep, "lstm", seed=5, name="torn record").record_path.write_text("{")
    write_run(sweep, "lstm", seed=6, name="list record").record_path.write_text("[1]")
    write_run(sweep, "lstm", seed=7, name="foreign record").record_path.write_text('{"a": 1}')
    write_run(sweep, "lstm", seed=8, name="binary record").record_path.write_bytes(b"\xff\x00\x81")
    (sweep / "empty").mkdir()
    (sweep / "half written" / ".hydra").mkdir(parents=True)
    (sweep / "photos").mkdir()
    (sweep / "photos" / "cat.jpg").write_bytes(b"cat")
    (sweep / "record is a folder" / "run.json").mkdir(parents=True)
    (sweep / ".stale").mkdir()
    shutil.copytree(sweep / "torn result", sweep / ".stale" / "old")
    (sweep / "ledger.jsonl").write_text("{}\n")
    return sweep


def test_every_folder_is_read_or_named(messy: Path) -> None:
    """A folder that is dropped silently makes a sweep look better than it was."""
    found = collect([messy])
    runs = {run.folder.name for run in found.runs}
    skipped = {s.folder.name: s.reason for s in found.skipped}
    folders = {path.name for path in messy.iterdir() if path.is_dir()} - {".stale"}
    assert runs | set(skipped) == folders
    assert not runs & set(skipped)
    assert skipped["empty"] == "empty"
    assert "half-written" in skipped["half written"]
    assert "foreign" in skipped["photos"]
    assert "config_hash must be given" in skipped["foreign record"]
    assert all(reason and "\n" not in reason for reason in skipped.values())


def test_states_are_counted_for_each_variant(messy: Path) -> None:
    """n=2 of 5 says what n=2 hides."""
    lstm, gru = report_of(messy).variants
    assert (gru.n, gru.planned, gru.failed, gru.interrupted, gru.diverged) == (2, 5, 1, 1, 1)
    assert (lstm.n, lstm.planned, lstm.unreadable) == (2, 5, 3)


def test_a_result_that_cannot_be_read_is_no_result(messy: Path) -> None:
    states = {run.folder.name: (run.state, run.reason) for run in collect([messy]).runs}
    assert states["torn result"][0] == "unreadable"
    assert "num_params must be given" in states["poor result"][1]
    assert "must be 'finished' or 'diverged'" in states["odd result"][1]


def test_torn_and_odd_lines_of_metrics_are_left_out(tmp_path: Path) -> None:
    """A process that dies while it writes leaves half a line; the others still count."""
    run = write_run(tmp_path / "s", num_evaluations=3)
    with run.metrics_path.open("a") as file:
        file.write('[1]\n{"step": "x", "seconds": 1}\n{"step": 40, "seco')
    (found,) = collect([tmp_path / "s"]).runs
    assert [row["step"] for row in found.history] == [10, 20, 30]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"no zip"])
def test_damaged_predictions_cost_only_the_pictures(tmp_path: Path, content: bytes) -> None:
    for seed in range(2):
        run = write_run(tmp_path / "s", "gru", seed=seed, accuracy=0.9 + seed / 100)
        write_run(tmp_path / "s", "lstm", seed=seed, accuracy=0.91)
    run.predictions_path.write_bytes(content)
    report = report_of(tmp_path / "s")
    assert [v.n for v in report.variants] == [2, 2]
    lost = "predictions.npz of 1 finished run cannot be read, such as that of "
    assert any(warning.startswith(lost) for warning in report.warnings)


def test_a_report_inside_the_sweep_is_no_folder_to_skip(grid: Path) -> None:
    assert collect([grid]).skipped == ()


def test_a_folder_named_twice_is_read_once(grid: Path) -> None:
    """`sweep=[a,a/b]` must not double n."""
    one_run = next(path for path in grid.iterdir() if path.is_dir())
    assert len(collect([grid, one_run, grid]).runs) == 30
    assert len(collect([one_run]).runs) == 1


def test_a_folder_without_runs_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "void").mkdir()
    with pytest.raises(CannotCompare, match=r"none is given"):
        collect([])
    with pytest.raises(CannotCompare, match=r"void: empty.*train some"):
        collect([tmp_path])
    (tmp_path / ".hidden").mkdir()
    with pytest.raises(CannotCompare, match=r"sweep=.*nowhere; .* holds void$"):
        collect([tmp_path / "nowhere"])
    write_run(tmp_path / "s")
    with pytest.raises(CannotCompare, match=r"void holds none; train some"):
        collect([tmp_path / "s", tmp_path / "void"])


def test_a_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell does it in sweep=~/s."""
    write_run(tmp_path / "s")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert collect([Path("~/s")]).sources == (tmp_path / "s",)
