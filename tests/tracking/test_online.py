"""Runs mirrored to a server on this machine."""

import importlib
import os
import pty
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.tracking.player import Player
from tests.wandb_server import KEY, Server, serving


@pytest.fixture
def online(player: Player, server: Server) -> Player:
    """A player with credentials for the server."""
    player.env = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
    return player


def test_auto_with_credentials_is_online_and_the_server_has_it_all(
    online: Player, server: Server
) -> None:
    """Names, group, config, rows, summary and end state are what people filter and compare by."""
    runs = [
        {"name": "seed=0", "samples": True},
        {"name": "seed=1", "steps": [1], "state": "failed", "exit_code": 1},
        {"name": "seed=2", "state": "diverged"},
    ]
    played = online.play(runs, "tracker.artifact=true", group="sweep")
    assert played.states() == ["synced"] * 3
    assert played.log.count("W&B: online") == 1  # decided and announced once a sweep
    assert "tracker.mode=" in played.log
    assert "W&B: 3 synced\n" in played.log
    assert not server.unknown
    found = [server.run_named(f"seed={i}") for i in range(3)]
    assert [run.state for run in found] == ["finished", "failed", "finished"]
    assert [run.exit_code for run in found] == [0, 1, 0]
    assert [len(run.history) for run in found] == [3, 1, 3]
    first = found[0]
    assert first.fields["groupName"] == "sweep"
    assert first.fields["jobType"] == "train"
    assert set(first.fields["tags"]) == {"lstm", "mnist"}
    assert first.config["model"]["hidden"] == 64
    assert first.config["run"]["folder"] == str(online.root / "seed=0")
    assert first.summary["test/accuracy"] == 0.5
    assert first.summary["best/valid/accuracy"] == 0.75
    assert first.summary["seconds"] == 12.0
    assert found[2].summary["state"] == "diverged"
    record = played.records()[0]
    assert record["url"] == f"{server.url}/me/mnist_seq/runs/{record['id']}"
    assert record["entity"] == "me"


@pytest.mark.slow
def test_samples_confusion_and_model_arrive(online: Player, server: Server) -> None:
    """What people look at in W&B: ten digits, where it errs, and the weights where asked for."""
    online.play([{"name": "a", "samples": True}], "tracker.artifact=true", group="sweep")
    (run,) = server.runs.values()
    assert run.summary["samples"]["_type"] == "table-file"
    assert run.summary["samples"]["nrows"] == 4
    assert len({path for path in server.blobs if path.endswith(".png")}) == 1  # four equal digits
    assert run.history[-1]["test/confusion_table"]["nrows"] == 100
    kinds = {artifact["name"].partition("-")[0] for artifact in server.artifacts.values()}
    assert kinds == {"run", "model"}  # run: the tables
    assert all(artifact["state"] == "COMMITTED" for artifact in server.artifacts.values())
    (model,) = [a for a in server.artifacts.values() if a["name"].startswith("model-")]
    assert server.blobs[model["files"]["model.pt"]] == b"weights"


@pytest.mark.slow
def test_credentials_in_netrc_are_found(player: Player, server: Server) -> None:
    """`wandb login` stores them there."""
    player.env = {"WANDB_BASE_URL": server.url}
    host = server.url.removeprefix("http://")
    (player.home / ".netrc").write_text(f"machine {host}\n  login user\n  password {KEY}\n")
    (player.home / ".netrc").chmod(0o600)
    assert player.play([{"name": "a"}]).states() == ["synced"]


@pytest.mark.slow
def test_the_key_is_in_no_file_and_no_line(online: Player, server: Server) -> None:
    """Run folders are shared, uploaded and published."""
    runs = [{"name": "a", "samples": True}, {"name": "b"}]
    played = online.play(runs, "tracker.artifact=true", group="sweep")
    online.play([{"name": "c"}], "tracker.mode=offline", group="sweep")
    synced = online.sync()
    files = [path for folder in (online.root, online.home) for path in folder.rglob("*")]
    assert len(files) > 10
    assert not [path for path in files if path.is_file() and KEY.encode() in path.read_bytes()]
    assert KEY not in played.log + synced.stdout + synced.stderr
    assert len(server.blobs) > 5
    assert not [path for path, content in server.blobs.items() if KEY.encode() in content]


def test_without_credentials_auto_is_offline_and_asks_nobody(
    player: Player, server: Server
) -> None:
    """On a terminal wandb itself would ask, and wait for ever."""
    player.env = {"WANDB_BASE_URL": server.url}
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            player.command([{"name": "a"}]), env=player.environment(),
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        with process:
            assert process.wait(30) == 0
        said = os.read(ours, 100_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "W&B: offline, no credentials" in said
    assert len(said.splitlines()) == 3
    assert player.record("a")["state"] == "offline"
    assert not server.requests
    (found,) = player.wandb_files()
    assert len(found["history"]) == 3


@pytest.mark.slow
def test_online_without_credentials_asks_nobody_and_goes_offline(
    player: Player, server: Server
) -> None:
    """tracker.mode=online is a wish; the run matters more."""
    player.env = {"WANDB_BASE_URL": server.url}
    played = player.play([{"name": "a"}, {"name": "b"}], "tracker.mode=online", group="sweep")
    assert played.states() == ["offline"] * 2
    assert played.log.count("WARNING") == 1
    reason = "no W&B credentials: run `wandb login` or set WANDB_API_KEY"
    assert [record["reason"] for record in played.records()] == [reason] * 2
    assert not server.requests


@pytest.mark.slow
def test_servers_that_do_not_answer_cost_seconds(tmp_path: Path) -> None:
    """The choice takes 6 s at most, the runs go on offline, and the second one waits no more."""

    def play(fault: str) -> None:
        with serving() as server:
            server.fail = {"all": 500} if fault == "broken" else {}
            server.is_stalled = fault == "stalled"
            url = f"http://127.0.0.1:{_free_port()}" if fault == "absent" else server.url
            (tmp_path / fault).mkdir()
            player = Player(tmp_path / fault / "sweep", tmp_path / fault)
            player.env = {"WANDB_BASE_URL": url, "WANDB_API_KEY": KEY}
            played = player.play([{"name": "a"}, {"name": "b"}], group="sweep")
            assert played.states() == ["offline"] * 2
            assert played.log.count("W&B: offline, the server did not answer") == 1
            # Bounds for a busy machine; 6 s and 9 s on an idle one, and 100 s by wandb itself
            assert played.whole["chosen_s"] < 20
            assert played.whole["whole_s"] < 60
            assert [len(found["history"]) for found in player.wandb_files()] == [3, 3]

    with ThreadPoolExecutor() as at_once:
        list(at_once.map(play, ["broken", "stalled", "absent"]))


@pytest.mark.parametrize(
    ("variable", "value"), [("WANDB_API_KEY", f"{KEY}\n"), ("WANDB_BASE_URL", "not an address")]
)
@pytest.mark.slow
def test_an_environment_that_wandb_refuses_leads_offline(
    variable: str, value: str, online: Player, server: Server
) -> None:
    """A line break behind a key, a typing error: one line, and the files are written all the same.

    Nor does a run go to another server than the one that was meant.
    """
    online.env[variable] = value
    played = online.play([{"name": "a"}, {"name": "b"}], group="sweep")
    assert played.states() == ["offline"] * 2
    assert played.log.count("W&B: offline, wandb does not start") == 1
    assert played.log.count("\n") == 2
    assert KEY not in played.log
    assert [len(found["history"]) for found in online.wandb_files()] == [3, 3]
    assert not server.requests


@pytest.mark.slow
def test_credentials_that_the_server_refuses_lead_offline(online: Player, server: Server) -> None:
    """A key may be revoked; the line says so."""
    server.fail = {"graphql": 403}
    played = online.play([{"name": "a"}], group="sweep")
    assert played.states() == ["offline"]
    assert "credentials did not work" in played.log
    assert "403" in played.log


@pytest.mark.slow
def test_a_server_that_breaks_at_the_end_is_waited_for_once(online: Player, server: Server) -> None:
    """finish() would wait for ever; what it could not send lies on disk."""
    server.fail = {"file_stream": 500}
    runs = [{"name": "a"}, {"name": "b"}]
    played = online.play(runs, "tracker.finish=2", group="sweep")
    assert "within 2 s" in played.records()[0]["reason"]
    assert set(played.states()) <= {"partial", "offline"}
    assert played.whole["whole_s"] < 60  # for a busy machine
    later = online.play([{"name": "c"}], "tracker.finish=2", "tracker.mode=offline", group="sweep")
    assert later.states() == ["offline"]


@pytest.mark.slow
def test_a_server_that_refuses_an_online_run_gets_it_later(online: Player, server: Server) -> None:
    """The id that failed to open is free again for the offline file."""
    server.fail = {"graphql": 403}
    played = online.play([{"name": "a"}, {"name": "b"}], "tracker.mode=online", group="sweep")
    assert played.states() == ["offline"] * 2
    assert played.log.count("WARNING") == 1
    assert [len(found["history"]) for found in online.wandb_files()] == [3, 3]


@pytest.mark.slow
def test_rows_that_the_server_refuses_are_not_called_synced(online: Player, server: Server) -> None:
    """finish() returns normally then; only wandb's own log tells."""
    server.fail = {"file_stream": 403}
    played = online.play([{"name": "a"}], group="sweep")
    assert played.states() == ["partial"]
    assert "403" in played.records()[0]["reason"]
    assert played.log.count("WARNING") == 1


@pytest.mark.slow
def test_a_machine_whose_load_wandb_cannot_see_loses_no_row(
    online: Player, server: Server, tmp_path: Path
) -> None:
    """A program beside wandb's watches the load; where it is missing, the rows are not."""
    (installed,) = importlib.import_module("wandb").__path__
    package = tmp_path / "packages" / "wandb"
    (package / "bin").mkdir(parents=True)
    for path in Path(installed).iterdir():
        if path.name != "bin":
            (package / path.name).symlink_to(path)
    shutil.copy(Path(installed) / "bin" / "wandb-core", package / "bin")
    paths = [online.environment()["PYTHONPATH"], str(package.parent)]
    online.env["PYTHONPATH"] = os.pathsep.join(paths)
    played = online.play([{"name": "a"}], group="sweep")
    logs = "".join(path.read_text() for path in online.root.glob("wandb/*/logs/debug-*.log"))
    assert '"level":"ERROR","msg":"monitor: ' in logs
    assert played.states() == ["synced"]
    assert [len(run.history) for run in server.runs.values()] == [3]


@pytest.mark.slow
def test_a_killed_online_run_continues_without_a_hole_or_a_double(
    online: Player, server: Server
) -> None:
    """What the kill kept from the server is filled in from metrics.jsonl."""
    online.play_and_kill({"name": "a", "steps": [1, 2, 3, 4, 5]}, after=2.5, group="sweep")
    online.play([{"name": "a", "first_step": 3, "steps": [4, 5, 6]}], group="sweep")
    (run,) = server.runs.values()
    assert [row["step"] for row in run.history] == [1, 2, 3, 4, 5, 6]
    assert run.state == "finished"


@pytest.mark.slow
def test_rows_that_the_server_has_are_not_sent_again(online: Player, server: Server) -> None:
    """An interrupted run ends in order, and what it repeats from its checkpoint is there."""
    stop = {"state": "interrupted", "exit_code": 130}
    online.play([{"name": "a", "steps": [1, 2, 3, 4, 5], **stop}], group="sweep")
    played = online.play([{"name": "a", "first_step": 3, "steps": [4, 5, 6]}], group="sweep")
    assert played.states() == ["synced"]
    (run,) = server.runs.values()
    assert [row["step"] for row in run.history] == [1, 2, 3, 4, 5, 6]
    assert (run.state, run.exit_code) == ("finished", 0)


@pytest.mark.slow
def test_a_run_that_starts_anew_doubles_no_row(online: Player, server: Server) -> None:
    """A failed run without a checkpoint begins again at step 0, under its id, to equal numbers."""
    failed = {"state": "failed", "exit_code": 1, "reason": "OSError: no"}
    online.play([{"name": "a", "steps": [1, 2], **failed}])
    (run,) = server.runs.values()
    assert run.summary["reason"] == "OSError: no"
    online.play([{"name": "a", "steps": [1, 2, 3]}])
    assert len(server.runs) == 1
    assert [row["step"] for row in run.history] == [1, 2, 3]
    assert (run.state, run.summary["reason"]) == ("finished", "")


@pytest.mark.slow
def test_a_run_that_has_nothing_left_but_its_end_is_whole(online: Player, server: Server) -> None:
    """wandb would give the row of its charts a step of 0, and a sync would refuse the run."""
    failed = {"state": "failed", "exit_code": 1, "samples": True}
    online.play([{"name": "a", "steps": [1, 2], **failed}], group="sweep")
    online.play([{"name": "a", "steps": [1, 2], "samples": True}], group="sweep")
    (run,) = server.runs.values()
    assert [row["step"] for row in run.history] == [1, 2]
    assert run.summary["test/confusion_table"]["nrows"] == 100
    assert "(1 were there), 0 not" in online.sync().stdout


@pytest.mark.slow
def test_a_run_of_an_agent_is_the_run_that_the_agent_has_made(
    online: Player, server: Server, tmp_path: Path
) -> None:
    """`wandb agent` looks for its run by the id that it gave; W&B Sweeps optimise by it."""
    (tmp_path / "parameters.yaml").write_text("model:\n  value: lstm\n")
    parameters = str(tmp_path / "parameters.yaml")
    online.env |= {"WANDB_SWEEP_ID": "sw1", "WANDB_RUN_ID": "agents1"}
    online.env["WANDB_SWEEP_PARAM_PATH"] = parameters
    assert online.play([{"name": "a"}]).states() == ["synced"]
    (run,) = server.runs.values()
    assert (run.name, run.fields["sweep"]) == ("agents1", "sw1")
    assert run.config["model"]["hidden"] == 64
    assert run.summary["best/valid/accuracy"] == 0.75  # the metric of conf/wandb_sweep.yaml
    # Its id is not for the runs of a sweep, of which W&B would keep one
    assert online.play([{"name": "b"}, {"name": "c"}], group="s").states() == ["synced"] * 2
    assert len(server.runs) == 3


@pytest.mark.slow
def test_a_service_that_died_is_not_looked_for(player: Player, tmp_path: Path) -> None:
    """A worker may inherit the address of a service whose process has ended."""
    player.env = {"WANDB_SERVICE": f"3-1-unix-{tmp_path}/gone"}
    assert player.play([{"name": "a"}], "tracker.mode=offline").states() == ["offline"]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
