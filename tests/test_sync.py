"""The sync command as a user types it, against a server on this machine."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.lock import locked
from mnist_seq.tracking.wandb.sync.item import read
from mnist_seq.tracking.wandb.sync.send import what_is_missing
from mnist_seq.tracking.wandb.sync.server_state import ServerRun
from tests import warm
from tests.conftest import clean_env
from tests.tracking.player import Player
from tests.wandb_server import KEY, Server, serving

NAMES = ["a", "b", "c", "d"]
RUNS: list[dict[str, Any]] = [
    {"name": "a", "steps": [1, 2, 3], "samples": True},
    {"name": "b", "steps": [1, 2], "state": "failed", "exit_code": 1, "reason": "OSError: no"},
    {"name": "c", "steps": [1, 2, 3], "state": "diverged", "reason": "the loss is not finite"},
    {"name": "d", "steps": [1], "state": "interrupted", "exit_code": 130},
]


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs of a sweep with their offline files."""
    folder = tmp_path_factory.mktemp("offline")
    (folder / "home").mkdir()
    player = Player(folder / "sweep", folder / "home")
    assert player.play(RUNS, "tracker.mode=offline", group="sweep").states() == ["offline"] * 4
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def offline(mirrored: Path, tmp_path: Path, server: Server) -> Player:
    """A copy of the runs, and a way to the server."""
    shutil.copytree(mirrored, tmp_path, dirs_exist_ok=True)
    env = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
    return Player(tmp_path / "sweep", tmp_path / "home", env)


def files(player: Player, name: str) -> list[Path]:
    return list(player.root.glob(f"wandb/offline-run-*-{player.record(name)['id']}/*.wandb"))


def check(server: Server) -> None:
    """The server has all four runs, each row once, and how each of them ended."""
    found = [server.run_named(name) for name in NAMES]
    assert len(server.runs) == 4
    assert [[row["step"] for row in run.history] for run in found] == [r["steps"] for r in RUNS]
    assert [run.state for run in found] == ["finished", "failed", "finished", "failed"]
    states = ["finished", "failed", "diverged", "interrupted"]
    assert [run.summary["state"] for run in found] == states
    assert found[0].summary["samples"]["nrows"] == 4
    assert found[0].fields["groupName"] == "sweep"
    assert "predictions.npz" in found[0].files


def test_offline_files_are_replayed_and_counted_and_a_second_time_finds_them(
    offline: Player, server: Server
) -> None:
    """The last line says what is where; the repeat sends nothing."""
    done = offline.sync()
    last = done.stdout.splitlines()[-1]
    assert last == f"W&B: 4 of 4 runs complete in {server.url}/me/mnist_seq (4 sent from offline " \
                   "files), 0 not"  # fmt: skip
    check(server)
    assert server.run_named("a").files.count("predictions.npz") == 1
    assert [offline.record(name)["state"] for name in NAMES] == ["synced"] * 4
    assert offline.record("a")["url"].startswith(f"{server.url}/me/mnist_seq/runs/")
    server.requests.clear()
    assert "(4 were there), 0 not" in offline.sync().stdout
    assert not {"UpsertBucket", "CreateRunFiles"} & set(server.requests)
    assert not server.unknown
    check(server)


@pytest.mark.slow
def test_what_a_replay_did_not_bring_is_rebuilt_and_nothing_goes_elsewhere(
    offline: Player, server: Server
) -> None:
    """W&B's command marks a run as sent whose files were refused, and a file names its project."""
    server.fail, server.num_failures = {"put": 403}, 1
    done = offline.sync("project=theirs")
    assert "(3 sent from offline files, 1 rebuilt), 0 not" in done.stdout
    assert {project for project, _ in server.runs} == {"theirs"}
    check(server)
    assert [name for name in server.blobs if name.endswith("predictions.npz")]


@pytest.mark.slow
def test_files_that_were_refused_in_a_replay_are_known_to_the_next_sync(
    offline: Player, server: Server
) -> None:
    """Without its predictions a run cannot be pulled."""
    words = [f"sweep={offline.root / 'a'}", "tries=1", "timeout=5"]
    server.fail = {"put": 403}
    assert offline.sync(*words, check=False).returncode == 1
    assert offline.record("a")["state"] == "partial"
    server.fail = {}
    assert "(1 rebuilt), 0 not" in offline.sync(*words).stdout
    assert [name for name in server.blobs if name.endswith("predictions.npz")]


@pytest.mark.slow
def test_what_a_server_has_lost_is_sent_again(offline: Player, server: Server) -> None:
    """Its rows go by their number, not by W&B's; no row is added for a chart that is there."""
    offline.sync()
    server.run_named("a").state = "crashed"
    server.run_named("c").history.clear()
    assert "(2 were there, 2 rebuilt), 0 not" in offline.sync().stdout
    check(server)


@pytest.mark.slow
def test_torn_and_missing_files_are_rebuilt_from_the_folder(
    offline: Player, server: Server
) -> None:
    """The folder is the record: what W&B wrote to disk is a convenience."""
    (torn,) = files(offline, "a")
    torn.write_bytes(torn.read_bytes()[:900])
    (empty,) = files(offline, "b")
    empty.write_bytes(b":W&B")
    shutil.rmtree(files(offline, "c")[0].parent)
    done = offline.sync("workers=2")
    assert "(1 sent from offline files, 3 rebuilt), 0 not" in done.stdout
    assert server.most_open <= 2
    check(server)
    command = [sys.executable, "-m", "wandb", "sync", str(offline.root / "wandb")]
    env = offline.environment()
    subprocess.run(command, env=env, cwd=offline.home, check=True, capture_output=True, timeout=60)
    check(server)  # all that lies here is marked as sent


@pytest.mark.slow
def test_runs_that_were_never_mirrored_are_brought_too(mirrored: Path, server: Server) -> None:
    """tracker=none, or an account that was made later."""
    player = Player(mirrored / "plain", mirrored / "home")
    player.play([{"name": "a"}], "tracker=none")
    player.env = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
    assert "1 rebuilt" in player.sync("project=theirs", "entity=me").stdout
    (run,) = server.runs.values()
    assert run.fields["project"] == "theirs"
    assert player.record("a")["project"] == "theirs"


@pytest.mark.slow
def test_an_interrupted_sync_goes_on(offline: Player, server: Server) -> None:
    """Killed in the middle, with half a run on the server; the next one sends what it lacks."""
    for path in offline.root.glob("wandb/offline-run-*"):
        shutil.rmtree(path)
    command = [sys.executable, "-m", "mnist_seq.sync", f"sweep={offline.root}"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    env = offline.environment()
    with warm.Popen(command, env=env, cwd=offline.home, start_new_session=True, **quiet) as process:
        deadline = time.monotonic() + 30
        while not any(run.history for run in server.runs.values()):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.killpg(process.pid, 9)
    assert "W&B: 4 of 4 runs complete" in offline.sync().stdout
    check(server)


def test_ctrl_c_does_not_wait_for_a_server_that_has_stalled(
    offline: Player, server: Server
) -> None:
    """It would hold each thread for as long as the end of a run may take."""
    for path in offline.root.glob("wandb/offline-run-*"):
        shutil.rmtree(path)
    command = [sys.executable, "-m", "mnist_seq.sync", f"sweep={offline.root}", "timeout=200"]
    with warm.Popen(
        command, env=offline.environment(), cwd=offline.home, text=True, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not server.open:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        server.is_stalled = True
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said.count("interrupted by Ctrl-C; the same command goes on")) == (
        130,
        1,
    )


@pytest.mark.slow
def test_a_server_that_is_too_busy_is_asked_again_later(offline: Player, server: Server) -> None:
    """429 is an answer to wait for; the pauses grow."""
    server.fail, server.num_failures = {"all": 429}, 4
    done = offline.sync("timeout=3")
    assert "W&B: 4 of 4 runs complete" in done.stdout
    check(server)
    assert len([r for r in server.requests if r.endswith(" 429")]) == 4


@pytest.mark.slow
def test_files_that_the_server_refused_are_not_called_there(
    offline: Player, server: Server
) -> None:
    """Its rows and its end are all there, and without its predictions it cannot be pulled."""
    shutil.rmtree(files(offline, "a")[0].parent)
    server.fail = {"put": 403}
    words = [f"sweep={offline.root / 'a'}", "tries=1", "timeout=5"]
    for _ in range(2):
        done = offline.sync(*words, check=False)
        assert (done.returncode, offline.record("a")["state"]) == (1, "partial"), done.stdout
        assert "403" in done.stdout
    server.fail = {}
    assert "(1 rebuilt), 0 not" in offline.sync(*words).stdout
    assert [name for name in server.blobs if name.endswith("predictions.npz")]
    assert offline.record("a")["state"] == "synced"


def test_what_cannot_be_brought_is_named_and_the_exit_code_tells(
    offline: Player, server: Server
) -> None:
    """A script must see it, and a reader must know which run and why."""
    server.fail = {"graphql": 403}
    done = offline.sync("tries=2", check=False)
    assert done.returncode == 1
    assert f"not there: {offline.root / 'a'}: " in done.stdout
    assert "403" in done.stdout
    assert "W&B: 0 of 4 runs complete, 4 not; the same command tries again" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_terminal_sees_a_bar(offline: Player, server: Server) -> None:
    """Hundreds of runs take minutes."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "mnist_seq.sync", f"sweep={offline.root}"]
    env = {**offline.environment(), "TERM": "xterm", "COLUMNS": "100"}
    process = warm.Popen(
        command, env=env, cwd=offline.home, stdout=theirs, stderr=subprocess.DEVNULL
    )
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 10_000):
            said += chunk
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    assert b"0/4" in said
    assert b"W&B: 4 of 4 runs complete" in said


def refused(*words: str, cwd: Path, **env: str) -> str:
    done = warm.run(
        [sys.executable, "-m", "mnist_seq.sync", *words], cwd=cwd, env={**clean_env(), **env},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


@pytest.mark.slow
def test_what_is_wrong_is_said_in_one_line(mirrored: Path, tmp_path: Path) -> None:
    """The rule, the value, the way out."""
    sweep = f"sweep={mirrored / 'sweep'}"
    home = {"HOME": str(tmp_path)}
    lines = {
        "sweep must be given": refused(cwd=tmp_path),
        "sweep must be a folder that exists: sweep=nowhere": refused("sweep=nowhere", cwd=tmp_path),
        f"a sync needs run folders, and {tmp_path} ": refused("sweep=~", cwd=tmp_path, **home),
        f"write sweep={tmp_path}": refused(str(tmp_path), cwd=tmp_path),
        "tries must be a whole number": refused(sweep, "tries=0", cwd=tmp_path),
        "project must be auto or a name without": refused(sweep, "project=a/b", cwd=tmp_path),
        "did you mean tries?": refused(sweep, "trys=2", cwd=tmp_path),
        "no credentials; run `wandb login`": refused(sweep, cwd=tmp_path, **home),
    }
    with locked(mirrored / "sweep", what="a sweep"):  # it trains, with tracker=none
        key = {**home, "WANDB_API_KEY": KEY}
        lines["is being worked on by process"] = refused(sweep, cwd=tmp_path, **key)
    for expected, said in lines.items():
        assert expected in said
        assert len(said.splitlines()) == 1, said


def test_rows_of_another_run_are_not_mixed_with_ours(mirrored: Path) -> None:
    """Nothing is deleted on the server: its owner is told."""
    folder = RunFolder(mirrored / "sweep" / "a")
    item = read(folder)
    there = ServerRun(
        item.identity.id, "url", "finished", {"state": "finished"}, {}, "a", "", [], [7, 8]
    )
    assert "rows of another run (steps [7, 8]..., here [1, 2, 3]...)" in what_is_missing(
        folder, there
    )


def test_the_reason_of_an_earlier_end_is_a_lack(mirrored: Path) -> None:
    """A run that went on to its end is told of as interrupted else."""
    folder = RunFolder(mirrored / "sweep" / "a")
    summary = {"state": "finished", "reason": "interrupted by SIGTERM"}
    there = ServerRun("id", "url", "finished", summary, {}, "a", "", [], [1, 2, 3])
    assert (
        what_is_missing(folder, there) == "the server says 'interrupted by SIGTERM', and the run ''"
    )
