"""Runs mirrored to files."""

import json
import subprocess
import sys

import pytest

from mnist_seq.runs.folder import RunFolder
from tests.tracking.player import Player
from tests.wandb_server import KEY, Server

OFFLINE = "tracker.mode=offline"


def test_an_offline_run_is_all_in_its_file(player: Player) -> None:
    """What a later `wandb sync` sends is what this file holds; nothing can be added then."""
    run = {"name": "hidden=32", "steps": [5, 10, 15], "samples": True}
    played = player.play([run], OFFLINE, "model.hidden=32", "tracker.tags=[mine]", group="sweep")
    (found,) = player.wandb_files()
    assert found["name"] == "hidden=32"
    assert (found["group"], found["job_type"], found["project"]) == ("sweep", "train", "mnist_seq")
    assert set(found["tags"]) == {"lstm", "mnist", "mine"}
    assert found["config"]["model"]["hidden"] == 32
    assert found["config"]["run"]["folder"] == str(player.root / "hidden=32")
    assert found["config"]["run"]["num_params"] == 24714
    rows = RunFolder(player.root / "hidden=32").metrics()
    assert [row["step"] for row in rows] == [5, 10, 15]
    assert all(a.items() <= b.items() for a, b in zip(rows, found["history"], strict=True))
    assert found["axes"] == {"step": "", "*": "step"}  # steps of training, not rows
    expected = {"test/accuracy": 0.5, "best/valid/accuracy": 0.75, "best/step": 2, "device": "cpu",
                "num_params": 24714, "seconds": 12.0, "state": "finished"}  # fmt: skip
    assert expected.items() <= found["summary"].items()
    assert found["summary"]["samples"]["_type"] == "table-file"
    # The confusion matrix is in the last row, so that each row is an evaluation
    assert found["history"][-1]["test/confusion_table.nrows"] == 100
    assert found["exit"] == 0
    assert played.records()[0] == {
        "id": found["id"], "mode": "offline", "url": "", "state": "offline",
        "project": "mnist_seq", "entity": "default", "tags": found["tags"], "reason": "",
        "variables": {},
    }  # fmt: skip
    said = played.log.splitlines()
    assert len(said) == 2, "one line for the choice, one for what is where; wandb says nothing"
    assert "W&B: offline, by tracker.mode" in said[0]
    assert "W&B: 1 offline; python -m mnist_seq.sync" in said[1]
    staged = player.root / "wandb" / "local" / "artifacts" / "staging"
    assert not [path for path in staged.iterdir() if path.is_dir() and not any(path.iterdir())]


@pytest.mark.slow
def test_files_lie_in_the_sweep_and_a_lone_runs_in_its_folder(player: Player) -> None:
    """`wandb sync` finds a sweep's runs in one folder; the user's home holds none of them."""
    player.play([{"name": "a", "samples": True}], OFFLINE, group="sweep")
    played = player.play([{"name": "b"}], OFFLINE)
    assert len(list(player.root.glob("wandb/offline-run-*"))) == 1
    assert len(list(player.root.glob("b/wandb/offline-run-*"))) == 1
    assert not list(player.root.rglob("latest-run"))
    assert not list(player.home.iterdir())
    assert played.log == ""


@pytest.mark.slow
def test_a_home_that_cannot_be_written_to_is_no_matter(player: Player) -> None:
    """Cluster nodes and containers have such homes."""
    player.home.rmdir()
    player.home.write_text("no folder")
    played = player.play([{"name": "a", "samples": True}], OFFLINE)
    assert played.states() == ["offline"]
    assert played.log == ""


@pytest.mark.slow
def test_runs_of_one_sweep_stay_apart_when_the_middle_one_fails(player: Player) -> None:
    """Else the next job writes into the failed job's run, and that one looks finished."""
    runs = [
        {"name": "a"},
        {"name": "b", "steps": [1], "state": "failed", "exit_code": 1, "reason": "no memory"},
        {"name": "c", "state": "diverged"},
        {"name": "d", "state": "interrupted", "exit_code": 130},
        {"name": "e", "state": "failed", "starts": False, "steps": [], "exit_code": 1},
    ]
    played = player.play(runs, OFFLINE, group="sweep")
    found = sorted(player.wandb_files(), key=lambda run: run["name"])
    assert [run["name"] for run in found] == ["a", "b", "c", "d", "e"]
    assert len({run["id"] for run in found}) == 5
    assert [run["exit"] for run in found] == [0, 1, 0, 130, 1]
    states = ["finished", "failed", "diverged", "interrupted", "failed"]
    assert [run["summary"]["state"] for run in found] == states
    assert [len(run["history"]) for run in found] == [3, 1, 3, 3, 0]
    assert found[1]["summary"]["reason"] == "no memory"
    assert played.states() == ["offline"] * 5
    assert "W&B: 5 offline" in played.log


@pytest.mark.slow
def test_the_baselines_of_a_sweep_are_tagged(player: Player) -> None:
    """In W&B people find the runs that the others are compared with by their tag."""
    widths = [32, 64, 128]
    runs = [{"name": f"{w}", "overrides": [f"model.hidden={w}"]} for w in widths]
    player.play(runs, OFFLINE, group="sweep")
    tags = {run["name"]: run["tags"] for run in player.wandb_files()}
    assert [name for name, found in tags.items() if "baseline" in found] == ["64"]


@pytest.mark.slow
def test_the_arm_of_a_study_is_a_tag(player: Player) -> None:
    player.play([{"name": "a", "overrides": ["arm=NOAF"]}], OFFLINE)
    (found,) = player.wandb_files()
    assert "arm:NOAF" in found["tags"]


def test_a_run_of_its_own_keeps_its_exit_code(player: Player) -> None:
    """128 + 15 tells a stop by the scheduler from a crash."""
    player.play([{"name": "a", "state": "interrupted", "exit_code": 143}], OFFLINE)
    (found,) = player.wandb_files()
    assert (found["exit"], found["summary"]["state"]) == (143, "interrupted")


@pytest.mark.slow
def test_a_killed_run_is_told_to_its_end_and_continues_under_its_id(
    player: Player, server: Server
) -> None:
    """The mirror outlives the run. The next file holds every row; `wandb sync` sends each once."""
    player.play_and_kill({"name": "a", "steps": [1, 2, 3, 4, 5]}, OFFLINE, after=2.5, group="sweep")
    player.wait_for_state("a", "offline")
    (torn,) = player.wandb_files()
    assert [row["step"] for row in torn["history"]] == [1, 2, 3, 4, 5]
    assert (torn["exit"], torn["summary"]["state"]) == (130, "interrupted")
    player.play([{"name": "a", "first_step": 3, "steps": [4, 5, 6]}], OFFLINE, group="sweep")
    (found,) = player.wandb_files()
    assert found["id"] == torn["id"]
    assert [row["step"] for row in found["history"]] == [1, 2, 3, 4, 5, 6]
    player.env = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
    files = map(str, player.root.glob("wandb/offline-run-*"))
    command = [sys.executable, "-m", "wandb", "sync", *files]
    env, home = player.environment(), player.home
    subprocess.run(command, env=env, cwd=home, check=True, capture_output=True, timeout=60)
    (run,) = server.runs.values()
    assert [row["step"] for row in run.history] == [1, 2, 3, 4, 5, 6]
    assert run.state == "finished"


@pytest.mark.slow
def test_a_sweep_pays_for_wandb_once(player: Player) -> None:
    """Import and service are the mirror's; a run pays its file, and those who train pay nothing."""
    runs = [{"name": f"seed={i}", "steps": list(range(20))} for i in range(12)]
    played = player.play(runs, OFFLINE, group="sweep")
    assert not any(report["imported"] for report in played.reports)
    assert max(report["cpu_s"] for report in played.reports) < 0.2  # its own files, and two lines
    assert played.whole["mirror_cpu_s"] < 3.0 + 12 * 0.2
    assert played.states() == ["offline"] * 12


@pytest.mark.slow
def test_nothing_is_written_or_started_without_a_mirror(player: Player) -> None:
    """tracker=none and mode=disabled cost nothing."""
    played = [
        player.play([{"name": "a"}], "tracker=none"),
        player.play([{"name": "b"}], "tracker.mode=disabled", group="sweep"),
    ]
    player.env = {"WANDB_MODE": "disabled"}
    played.append(player.play([{"name": "c"}]))
    assert [one.records() for one in played] == [[{}]] * 3
    assert [one.log for one in played] == [""] * 3
    assert not list(player.root.rglob("*wandb*"))
    assert not list(player.home.iterdir())


@pytest.mark.slow
def test_a_mirror_that_is_killed_costs_a_warning_and_a_state(player: Player) -> None:
    """Whatever becomes of the mirror's process, the run goes on and knows what W&B lacks."""
    command = player.command([{"name": "a", "waits": True}], OFFLINE, group="sweep")
    with subprocess.Popen(
        command, env=player.environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        player.wait_for_state("a", "running")
        player.wait_until_behind(player.mirror(process.pid))  # training goes first meanwhile
        player.kill_mirror(process.pid)
        out, log = process.communicate("\n", timeout=30)
    assert process.returncode == 0, log
    assert json.loads(out.splitlines()[0])["all_s"] > 0
    assert "W&B's mirror died with 1 run," in log
    assert player.record("a")["state"] == "partial"


def test_a_folder_that_wandb_cannot_write_to_is_said_and_counted(player: Player) -> None:
    """wandb itself would put the run into /tmp, where nobody looks for it."""
    player.root.mkdir()
    (player.root / "wandb").write_text("no folder")
    played = player.play([{"name": "a"}, {"name": "b"}], OFFLINE, group="sweep")
    assert played.states() == ["partial"] * 2
    assert "W&B: 2 partial; python -m mnist_seq.sync" in played.log
    assert str(player.root / "wandb") in played.records()[0]["reason"]


@pytest.mark.slow
def test_a_file_that_a_full_disk_cuts_off_is_said_and_counted(player: Player) -> None:
    """wandb's finish() returns as if nothing had happened."""
    limit = 30_000  # bytes a file: enough for metrics.jsonl, and too little for what W&B writes
    played = player.play(
        [{"name": "a", "steps": list(range(1, 250))}], OFFLINE, group="sweep", file_limit=limit
    )
    assert played.states() == ["partial"]
    assert "is the disk full?" in played.records()[0]["reason"]
    assert "W&B: 1 partial" in played.log
