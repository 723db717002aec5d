"""What the screen shows: lines that break between words, paths as people type them."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from mnist_seq.runs.console import near, say, say_command, wrapped


@pytest.mark.parametrize("width", [20, 50, 80])
def test_a_line_breaks_between_words_and_before_no_unit(width: int) -> None:
    text = "  finished seed=0  test accuracy 94.50 % after 1,204 s; its interval is 93.1 to 95.9 %."
    lines = wrapped(text, width)
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())
    assert all(len(line) <= width and line.startswith("  ") for line in lines)
    assert not any(line.split()[0] in ("%", "s;", "%.") for line in lines)


def test_the_name_of_a_run_breaks_behind_its_commas() -> None:
    """It is one word, and may be longer than a terminal is wide."""
    found = wrapped("failed: model=lstm,model.hidden=8,optimizer.lr=0.01,seed=1", 30)
    assert found == ["failed:", "model=lstm,model.hidden=8,", "optimizer.lr=0.01,seed=1"]


def test_a_terminal_gets_lines_of_its_width_and_a_command_in_one_piece() -> None:
    """A command that is copied from several lines does not run; a log is searched line by line."""
    text, shown = "word " * 30, {}
    for is_terminal in (True, False):
        out = io.StringIO()
        console = Console(width=40, file=out, force_terminal=is_terminal, color_system=None)
        say(console, text)
        say_command(console, "next:", f"python -m x {text.strip()}")
        shown[is_terminal] = out.getvalue().splitlines()
    assert max(map(len, shown[True][:-1])) <= 40
    assert len(shown[True]) > len(shown[False]) == 2
    assert shown[True][-1] == shown[False][-1]


def test_paths_are_relative_where_that_is_shorter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert near(tmp_path / "outputs" / "a") == "outputs/a"
    assert near(tmp_path.parent / "b") == str(tmp_path.parent / "b")


@pytest.mark.skipif(not shutil.which("sh"), reason="a shell closes the streams")
def test_streams_that_a_caller_has_closed_keep_their_numbers_from_files(tmp_path: Path) -> None:
    """Under `>&-` a sweep's processes failed, and a file could have taken what was printed."""
    code = (
        "from pathlib import Path; from mnist_seq.runs.console import open_closed_streams as f; "
        f"f(); file = open({str(tmp_path / 'file')!r}, 'w'); print('printed', flush=True); "
        f"Path({str(tmp_path / 'number')!r}).write_text(str(file.fileno()))"
    )
    subprocess.run(["sh", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, code], check=True)
    assert (tmp_path / "file").read_text() == ""
    assert int((tmp_path / "number").read_text()) > 2
