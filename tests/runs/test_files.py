"""Files that are whole or absent."""

from pathlib import Path

import pytest

from mnist_seq.runs import files
from mnist_seq.runs.sweep_folder import check_writable


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """A crash while a result is written must not cost the result that was there."""
    path = tmp_path / "result.json"
    files.write_json(path, {"a": 1})

    def write() -> None:
        with files.replaced(path) as file:
            file.write(b"half of")
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        write()
    assert files.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_files_are_as_readable_as_any_other(tmp_path: Path) -> None:
    """A temporary file is private; a colleague must be able to read the result."""
    files.write_text(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_torn_last_line_is_ignored_and_swallows_nothing(tmp_path: Path) -> None:
    """A killed process leaves half a line; the next one's first line must not be lost with it."""
    path = tmp_path / "metrics.jsonl"
    files.append_line(path, {"step": 1})
    with path.open("a") as file:
        file.write('{"step": 2, "tra')
    assert files.lines(path).rows == [{"step": 1}]
    files.append_line(path, {"step": 2})
    assert files.lines(path).rows == [{"step": 1}, {"step": 2}]


def test_not_a_number_becomes_null(tmp_path: Path) -> None:
    """JSON has no NaN; other readers than Python's refuse it."""
    files.append_line(tmp_path / "m", {"loss": float("nan"), "list": [float("inf")]})
    assert (tmp_path / "m").read_text().startswith('{"loss": null, "list": [null], "crc32": "')


def test_a_damaged_json_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"half')
    with pytest.raises(ValueError, match=r"run\.json must hold JSON"):
        files.read_json(path)


def test_keep_lines_drops_the_others(tmp_path: Path) -> None:
    """A resume repeats the evaluations after its checkpoint; they must not stand there twice."""
    path = tmp_path / "m"
    for step in range(5):
        files.append_line(path, {"step": step})
    files.keep_lines(path, lambda row: row["step"] <= 2)
    assert [row["step"] for row in files.lines(path).rows] == [0, 1, 2]


def test_a_folder_named_like_a_temporary_file_is_left_alone(tmp_path: Path) -> None:
    """It blocked every run of its place."""
    (tmp_path / ".result.json.x.tmp").mkdir()
    (tmp_path / ".result.json.y.tmp").write_text("half")
    (tmp_path / ".result.json.z.tmp").symlink_to(tmp_path)
    files.clear_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".result.json.x.tmp"]


def test_a_folder_is_tried_without_leaving_anything(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/none")):
        with pytest.raises(OSError, match=str(folder)):
            check_writable(folder)
