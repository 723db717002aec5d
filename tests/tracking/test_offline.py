"""Runs mirrored to files."""

import itertools
import subprocess
import sys

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
    assert [row["step"] for row in found["history"]] == [5, 10, 15]
    assert found["history"][-1]["epoch"] == 1.5
    expected = {"test/accuracy": 0.5, "best/valid/accuracy": 0.75, "best/step": 2,
                "num_params": 24714, "seconds": 12.0, "state": "finished"}  # fmt: skip
    assert expected.items() <= found["summary"].items()
    assert found["summary"]["samples"]["_type"] == "table-file"
    assert found["exit"] == 0
    assert played.reports[0]["wandb"] == {
        "id": found["id"], "mode": "offline", "url": "", "state": "offline",
        "project": "mnist_seq", "entity": "default", "reason": "",
    }  # fmt: skip
    assert played.log == ""  # neither wandb nor we say a word


def test_files_lie_in_the_sweep_and_a_lone_runs_in_its_folder(player: Player) -> None:
    """`wandb sync` finds a sweep's runs in one folder; the user's home holds none of them."""
    player.play([{"name": "a", "samples": True}], OFFLINE, group="sweep")
    player.play([{"name": "b"}], OFFLINE)
    assert len(list(player.root.glob("wandb/offline-run-*"))) == 1
    assert len(list(player.root.glob("b/wandb/offline-run-*"))) == 1
    assert not list(player.root.rglob("latest-run"))
    assert not list(player.home.iterdir())


def test_a_home_that_cannot_be_written_to_is_no_matter(player: Player) -> None:
    """Cluster nodes and containers have such homes."""
    player.home.rmdir()
    player.home.write_text("no folder")
    player.env = {"HOME": str(player.home)}
    played = player.play([{"name": "a", "samples": True}], OFFLINE)
    assert played.states() == ["offline"]
    assert played.log == ""


def test_runs_of_one_process_stay_apart_when_the_middle_one_fails(player: Player) -> None:
    """Else the next job writes into the failed job's run, and that one looks finished."""
    runs = [
        {"name": "a"},
        {"name": "b", "steps": [1], "state": "failed", "exit_code": 1, "reason": "no memory"},
        {"name": "c", "state": "diverged"},
    ]
    played = player.play(runs, OFFLINE, group="sweep")
    found = player.wandb_files()
    assert [run["name"] for run in found] == ["a", "b", "c"]
    assert len({run["id"] for run in found}) == 3
    assert [run["exit"] for run in found] == [0, 1, 0]
    assert [run["summary"]["state"] for run in found] == ["finished", "failed", "diverged"]
    assert [len(run["history"]) for run in found] == [3, 1, 3]
    assert found[1]["summary"]["reason"] == "no memory"
    assert played.states() == ["offline"] * 3


def test_a_run_that_never_ended_leaves_the_next_one_alone(player: Player) -> None:
    """A job may die so that nobody tells its end; its id can still be taken up again."""
    tracker = {"name": "a", "waits": False}
    played = player.play([tracker, {"name": "a", "first_step": 2, "steps": [3]}], OFFLINE)
    assert played.states() == ["offline"] * 2
    assert [row["step"] for row in player.wandb_files()[-1]["history"]] == [1, 2, 3]


def test_an_interrupted_run_keeps_its_exit_code(player: Player) -> None:
    """128 + 15 tells a stop by the scheduler from a crash."""
    player.play([{"name": "a", "state": "interrupted", "exit_code": 143}], OFFLINE)
    (found,) = player.wandb_files()
    assert (found["exit"], found["summary"]["state"]) == (143, "interrupted")


def test_a_killed_run_is_on_disk_and_continues_under_its_id(player: Player, server: Server) -> None:
    """The file of the run taken up again holds every row, and `wandb sync` sends each row once."""
    player.play_and_kill({"name": "a", "steps": [1, 2, 3, 4, 5]}, OFFLINE, after=2.5, group="s")
    (torn,) = player.wandb_files()
    assert [row["step"] for row in torn["history"]] == [1, 2, 3, 4, 5]
    assert torn["exit"] is None
    player.play([{"name": "a", "first_step": 3, "steps": [4, 5, 6]}], OFFLINE, group="s")
    (found,) = player.wandb_files()
    assert found["id"] == torn["id"]
    assert [row["step"] for row in found["history"]] == [1, 2, 3, 4, 5, 6]
    player.env = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
    files = map(str, player.root.glob("wandb/offline-run-*"))
    command = [sys.executable, "-m", "wandb", "sync", *files]
    subprocess.run(
        command,
        env=player.environment(),
        cwd=player.home,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (run,) = server.runs.values()
    assert [row["step"] for row in run.history] == [1, 2, 3, 4, 5, 6]
    assert run.state == "finished"


def test_training_does_not_wait_for_wandb(player: Player) -> None:
    """Import, service and files are the mirror's business, on a thread of its own."""
    runs = [{"name": f"seed={i}", "steps": list(range(20))} for i in range(4)]
    played = player.play(runs, OFFLINE, group="sweep")
    assert max(report["training_s"] for report in played.reports) < 0.3
    later = [report["all_s"] for report in played.reports[1:]]
    assert min(later) < 0.2  # the slowest may have met a busy machine


def test_nothing_is_written_or_imported_without_a_mirror(player: Player) -> None:
    """tracker=none and mode=disabled cost nothing."""
    played = player.play([{"name": "a"}], "tracker=none")
    played_too = player.play([{"name": "b"}], "tracker.mode=disabled")
    player.env = {"WANDB_MODE": "disabled"}
    played_also = player.play([{"name": "c"}])
    for report in itertools.chain(played.reports, played_too.reports, played_also.reports):
        assert report["wandb"] is None
        assert not report["imported"]
    assert not list(player.root.rglob("*wandb*"))
    assert not list(player.home.iterdir())


def test_a_run_that_failed_before_its_first_step_is_not_mirrored(player: Player) -> None:
    """There is nothing to show, and ended() without started() is no fault."""
    run = {"name": "a", "starts": False, "steps": [], "state": "failed", "exit_code": 1}
    played = player.play([run], OFFLINE)
    assert played.reports[0]["wandb"] is None
