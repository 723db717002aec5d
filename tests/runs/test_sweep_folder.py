"""The ledger and the locks."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_seq.config.errors import said
from mnist_seq.runs.errors import FolderLocked
from mnist_seq.runs.lock import locked
from mnist_seq.runs.sweep_folder import SweepFolder


def test_the_ledger_keeps_every_change_in_its_order(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    folder.note("planned", "seed=0")
    folder.note("started", "seed=0", worker=1)
    folder.note("failed", "seed=0", reason="ValueError: no")
    rows = SweepFolder(tmp_path).ledger()
    assert [(row["run"], row["change"]) for row in rows] == [
        ("seed=0", "planned"), ("seed=0", "started"), ("seed=0", "failed")]  # fmt: skip
    assert rows[1]["worker"] == 1
    assert rows[2]["reason"] == "ValueError: no"
    assert all("time" in row for row in rows)


def test_a_torn_last_line_of_the_ledger_loses_nothing_else(tmp_path: Path) -> None:
    """The process may be killed while it writes."""
    folder = SweepFolder(tmp_path)
    folder.note("planned", "a")
    with folder.ledger_path.open("a") as file:
        file.write('{"time": "2026-')
    assert [row["run"] for row in folder.ledger()] == ["a"]
    folder.note("planned", "b")
    assert [row["run"] for row in folder.ledger()] == ["a", "b"]


def test_a_run_set_aside_is_kept_and_no_longer_counts(tmp_path: Path) -> None:
    """A rerun deletes nothing: the old numbers may be in somebody's talk."""
    folder = SweepFolder(tmp_path)
    for _ in range(2):
        run = folder.run("seed=0")
        run.path.mkdir()
        run.update_record(name="seed=0")
        assert [r.path.name for r in folder.runs()] == ["seed=0"]
        target = folder.set_aside(run)
        assert (target / "run.json").exists()
        assert folder.runs() == []
    assert len(list(folder.stale_path.iterdir())) == 2


HOLD = """
import sys, time
from pathlib import Path
from mnist_seq.runs.lock import locked
with locked(Path(sys.argv[1]), what="a sweep"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_folder_is_held_by_one_process_until_it_leaves_or_dies(tmp_path: Path) -> None:
    """A lock that outlives its process would have to be removed by hand, in the dark."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with (
            pytest.raises(
                FolderLocked, match=f"a run takes one command.* by process {process.pid} on"
            ),
            locked(tmp_path, what="a run"),
        ):
            pass
        process.kill()
    with locked(tmp_path, what="a run"):
        pass
    with locked(tmp_path, what="a run"):  # and is free again
        pass


def test_a_holder_about_to_leave_is_waited_for(tmp_path: Path) -> None:
    """A killed sweep's jobs save their checkpoints before the next command takes their folders."""
    hold = HOLD.replace("time.sleep(60)", "time.sleep(1)")
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with locked(tmp_path, what="a run", wait_s=30):
            pass


def test_a_file_system_without_locks_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An NFS whose lock service is off; the message said no more than "a file: ..."."""
    fcntl = pytest.importorskip("fcntl")

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="No locks") as caught, locked(tmp_path, what="a sweep"):
        pass
    assert said(caught.value).startswith(f"{tmp_path / '.lock'} cannot be")
    assert "; mount its file system with locks" in said(caught.value)
