"""A server that is stopped in a sweep and started again: what is where, and what is said."""

import re
import shlex
import subprocess
import sys

import pytest

from tests import warm
from tests.tracking.player import Player
from tests.wandb_server import KEY, Server

STEPS = [1, 2, 3]


@pytest.fixture
def online(player: Player, server: Server) -> Player:
    """A player with credentials for the server."""
    player.env = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "WANDB_INIT_TIMEOUT": "2"}
    return player


def sync_as_said(player: Player, log: str) -> str:
    """Run the command that the closing line names, as it stands there; what it says."""
    found = re.search(r"; (python -m mnist_seq\.sync .*) brings (?:them|it) there", log)
    assert found is not None, log
    python, *words = shlex.split(found[1])
    assert python == "python"
    done = warm.run(
        [sys.executable, *words], env=player.environment(), cwd=player.home, text=True,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def check(server: Server, names: str) -> None:
    """The server has these runs, each of them whole and once."""
    assert sorted(run.fields["displayName"] for run in server.runs.values()) == list(names)
    for run in server.runs.values():
        assert [row["step"] for row in run.history] == STEPS
        assert (run.state, run.exit_code) == ("finished", 0)
    assert not server.unknown


@pytest.mark.slow
def test_runs_go_online_again_after_an_outage_in_the_middle(online: Player, server: Server) -> None:
    """a is open all along; b finds no server, c need not look, and d finds it again.

    wandb keeps the id of a run that failed to open, so b waits for a to end, and loses nothing.
    """

    def while_a_waits() -> None:
        online.wait_for_state("a", "online", "mode")
        server.stop()

    def while_c_waits() -> None:
        online.wait_for_state("c", "offline", "mode")
        server.start()
        online.wait_for_line("the server answers again")

    waits = [while_a_waits, lambda: online.wait_for_line("W&B cannot be reached"), while_c_waits]
    runs = [
        {"name": "a", "steps": STEPS, "waits_after": 1, "ends_last": True},
        {"name": "b", "steps": STEPS, "waits_after": 1},
        {"name": "c", "steps": STEPS, "waits_after": 1},
        {"name": "d", "steps": STEPS},
    ]
    played = online.play_on(lambda: waits.pop(0)(), runs, "tracker.finish=20", group="sweep")
    states = {name: online.record(name)["state"] for name in "abcd"}
    assert states == {"a": "synced", "b": "synced", "c": "offline", "d": "synced"}, played.log
    assert played.log.count("WARNING") == 1
    assert "W&B: 3 synced, 1 offline (c); python -m mnist_seq.sync" in played.log
    assert online.record("b")["reason"] == ""
    assert "W&B: 4 of 4 runs complete" in sync_as_said(online, played.log)
    check(server, "abcd")
    files = [path for path in online.root.parent.rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


@pytest.mark.slow
def test_a_single_run_that_finds_no_server_ends_with_its_sync_command(
    online: Player, server: Server
) -> None:
    """So do the runs of Hydra's own launcher, each of which has a mirror to itself."""
    server.stop()
    played = online.play([{"name": "a", "steps": STEPS}])
    assert "W&B: the run is not on the server; python -m mnist_seq.sync sweep=" in played.log
    server.start()
    assert "W&B: 1 of 1 run complete" in sync_as_said(online, played.log)
    check(server, "a")


@pytest.mark.slow
def test_runs_go_online_after_an_outage_at_the_start_and_stay_here_after_one_at_the_end(
    online: Player, server: Server
) -> None:
    """A sweep that was started while nobody answered is not offline for good."""
    server.stop()

    def while_a_waits() -> None:
        online.wait_for_state("a", "offline", "mode")
        server.start()
        online.wait_for_line("the server answers again")

    def while_b_waits() -> None:
        online.wait_for_state("b", "online", "mode")
        server.stop()

    waits = [while_a_waits, while_b_waits]
    runs = [
        {"name": "a", "steps": STEPS, "waits_after": 1},
        {"name": "b", "steps": STEPS, "waits_after": 3},
    ]
    played = online.play_on(lambda: waits.pop(0)(), runs, "tracker.finish=2", group="sweep")
    assert "W&B is asked again later; choose with tracker.mode=" in played.log
    assert played.states() == ["offline", "partial"], played.log
    assert "W&B: 1 offline (a), 1 partial (b); python -m mnist_seq.sync" in played.log
    server.start()
    assert "W&B: 2 of 2 runs complete" in sync_as_said(online, played.log)
    check(server, "ab")
