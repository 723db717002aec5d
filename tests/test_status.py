"""`python -m mnist_seq.status`: how far a sweep is, as its folder tells."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mnist_seq import status
from mnist_seq.config import ConfigError
from mnist_seq.runs.lock import HOLDER, locked
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep import progress
from mnist_seq.sweep.pool.answer import AnswerFile, lock_path
from mnist_seq.sweep.progress import look
from tests.conftest import ROOT, Command, clean_env

KEYS: dict[str, Any] = {"sweep": "s", "watch": False, "every": 5, "most": 20}
ROW = {"step": 8, "epoch": 2.0, "valid/accuracy": 0.5, "valid/loss": 1.0, "seconds": 1.0}


def lock_file(folder: Path, *, pid: int, host: str = "") -> None:
    (folder / HOLDER).write_text(json.dumps({"pid": pid, "host": host or socket.gethostname()}))


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    """A sweep in the middle: one run at work, one that died, one that failed, one not begun."""
    sweep = SweepFolder(tmp_path / "s")
    sweep.path.mkdir()
    for name in ("older", "work", "away", "died", "failed", "later"):
        sweep.note("planned", name)
        if name == "older":
            sweep.note("finished", name)
    for name in ("work", "away", "died", "failed"):
        sweep.note("started", name, worker=0, attempt=0)
        run = sweep.run(name)
        run.path.mkdir()
        run.update_record(config={})
        run.append_metrics(ROW)
    lock_file(sweep.run("work").path, pid=os.getpid())
    lock_file(sweep.run("away").path, pid=1, host="node3")
    with subprocess.Popen(["true"]) as gone:
        pass
    lock_file(sweep.run("died").path, pid=gone.pid)
    sweep.run("failed").write_error("Traceback\nValueError: no")
    return sweep


def test_each_run_has_its_state_and_how_far_it_is(folder: SweepFolder) -> None:
    """From the folder alone, so for every launcher, and without trying a lock that a run needs."""
    seen = look(folder)
    assert {run.name: run.state for run in seen.runs} == {
        "work": "at work", "away": "at work", "died": "interrupted", "failed": "failed",
        "later": "not begun",
    }  # fmt: skip
    words = {run.name: run.words for run in seen.runs}
    assert words["work"].startswith("epoch 2, valid accuracy 50.00 %, ")
    assert words["away"].endswith("; process 1 on node3")
    assert words["failed"] == "ValueError: no"
    assert seen.is_alive
    assert not seen.command
    with locked(folder.path, what="a sweep"):
        assert look(folder).command == f"process {os.getpid()} on {socket.gethostname()}"


def test_a_run_of_a_pack_that_slurm_has_stopped_says_so_and_then_waits_in_the_next(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `scancel` of jobs that nobody watches, nothing said why; in the next job it waits."""
    folder.note("submitted", "died", job="7", call="a", identity="i", runs=2)
    said = "7|CANCELLED|None\n"
    monkeypatch.setattr(progress, "said_now", lambda: said)
    answer = AnswerFile(lock_path(folder.run("died").path), "a")
    answer.path.parent.mkdir()
    answer.begin()
    answer.end("interrupted by SIGTERM")

    def died() -> tuple[str, str]:
        return next((run.state, run.words) for run in look(folder).runs if run.name == "died")

    assert died()[0] == "interrupted"
    assert died()[1].endswith("ago; stopped by Slurm: scancel")
    said = ""  # Slurm has forgotten it
    assert died()[1].endswith("ago; SIGTERM")
    folder.note("submitted", "died", job="8", call="b", identity="i", runs=2)
    said = "8|RUNNING|None\n"
    assert died() == ("queued", "job 8 trains others first")


def test_it_is_shown_and_a_long_list_is_cut(folder: SweepFolder) -> None:
    console = Console(width=100, record=True, force_terminal=False)
    status.run({**KEYS, "sweep": str(folder.path), "most": 1}, console)
    text = console.export_text()
    assert "and 1 more" in text
    assert "5 runs: 1 not begun, 1 interrupted, 1 failed, 2 at work" in text
    assert "no command is at work; its jobs are, and the same command collects them" in text


def test_a_watch_ends_when_nothing_is_at_work(folder: SweepFolder) -> None:
    for name in ("work", "away"):
        (folder.run(name).path / HOLDER).unlink()
    console = Console(width=100, record=True, force_terminal=False)
    status.run({**KEYS, "sweep": str(folder.path), "watch": True}, console)
    assert "nothing is at work" in console.export_text()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"watch": 1}, "watch must be true or false: watch=1"),
        ({"every": 0}, "every must be a number of seconds"),
        ({"most": 1.5}, "most must be a whole number"),
        ({"sweep": ["a", "b"]}, "sweep must be one folder"),
        ({"sweep": "nowhere"}, "sweep must be a folder that exists"),
        ({"sweep": "."}, "a sweep's folder has a ledger.jsonl"),
    ],
)
def test_a_wrong_key_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=says) as refused:
        status.run({**KEYS, **changed}, Console())
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_as_it_is_typed(train: Command, tmp_path: Path) -> None:
    """After a sweep of the pool nothing is left at work, and the numbers are those of the end."""
    train("-m", "data=mnist_5k", "data.limit=200", "model.hidden=4", "tracker=none", "seed=0,1",
          "sweep.baseline=none", "sweep.name=s")  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "mnist_seq.status", "sweep=outputs/sweeps/s"],
        cwd=tmp_path,
        env={**clean_env(), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "sweep outputs/sweeps/s",
        "2 runs: 2 finished",
        "nothing is at work",
    ]
