"""Servers that fail at any moment of a sweep: its results are whole, and `sync` mends the rest."""

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.runs.folder import RunFolder
from tests.conftest import some
from tests.tracking.player import Played, Player
from tests.wandb_server import KEY, Server, serving

STEPS = [1, 2, 3, 4, 5]
FINISH = 3  # seconds that a server gets at the end; 30 by default
# Beyond FINISH: the choice (6 s) or the opening of one run (15 s), the process's own start and end,
# and all of it several times as long on a busy machine. wandb itself waits 100 s and for ever
EXTRA_S = 57.0
_MOMENTS = ["start", "middle", "end"]
FAULTS = ["killed", "stalled", "500", "429", "403"]
# What depends on the clock or the place
_NOT_SHOWN = {"_timestamp", "_runtime", "_wandb", "runtime", "folder", "created", "started", "path",
              "artifact_path", "_latest_artifact_path", "sha256", "size"}  # fmt: skip


def break_it(server: Server, fault: str) -> None:
    server.is_down, server.is_stalled = fault == "killed", fault == "stalled"
    server.fail = {"all": int(fault)} if fault.isdigit() else {}


def heal(server: Server) -> None:
    break_it(server, "none")


def player_at(folder: Path, url: str, key: str = KEY) -> Player:
    (folder / "home").mkdir(parents=True)
    env = {"WANDB_BASE_URL": url, "WANDB_API_KEY": key}
    return Player(folder / "sweep", folder / "home", {k: v for k, v in env.items() if v})


def sweep(player: Player, moment: str, act: Callable[[], object]) -> Played:
    """Two runs of a sweep; the server is acted on in the middle of the first one, or at its end."""
    first = {"middle": {"waits_after": 2}, "end": {"waits": True}}.get(moment, {})
    runs = [{"name": "a", "steps": STEPS, "samples": True, **first}, {"name": "b", "steps": STEPS}]
    return player.play_on(act, runs, f"tracker.finish={FINISH}", group="sweep")


def shown(server: Server) -> dict[str, Any]:
    """What people see of the runs: what depends on the clock or the place is left out."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in sorted(value.items()) if k not in _NOT_SHOWN}
        return value

    found = {}
    for run in server.runs.values():
        fields = {k: run.fields.get(k) for k in ("displayName", "groupName", "jobType")}
        found[fields["displayName"]] = json.loads(
            json.dumps(
                {
                    **fields,
                    "tags": sorted(run.fields["tags"]),
                    "state": run.state,
                    "exit_code": run.exit_code,
                    "config": plain(run.config),
                    "summary": plain(run.summary),
                    "history": [plain(row) for row in run.history],
                },
                sort_keys=True,
            )
        )
    assert len(found) == len(server.runs)
    return found


@pytest.fixture(scope="module")
def faultless(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the server shows of a sweep without a fault."""
    with serving() as server:
        played = sweep(player_at(tmp_path_factory.mktemp("w"), server.url), "never", lambda: None)
        assert played.states() == ["synced"] * 2
        return shown(server)


def check_results(played: Played) -> None:
    for report in played.reports:
        folder = RunFolder(played.root / report["name"])
        assert folder.state() == "finished"
        assert [row["step"] for row in folder.metrics()] == STEPS
    assert set(played.states()) <= {"offline", "partial", "synced"}
    assert played.whole["whole_s"] < FINISH + EXTRA_S


# Each fault once, and each moment; two of the moments are slow
SOME = {"start": ["stalled", "500"], "middle": ["killed", "429"], "end": ["403"]}
OTHERS = {moment: [f for f in FAULTS if f not in SOME[moment]] for moment in _MOMENTS}


@pytest.mark.parametrize(
    ("moment", "faults"),
    [("end", SOME["end"])]
    + [
        pytest.param(*case, marks=pytest.mark.slow)
        for case in (*list(SOME.items())[:2], *OTHERS.items())
    ],
)
@pytest.mark.slow
def test_a_failing_server_costs_seconds_and_no_row(
    moment: str, faults: list[str], tmp_path: Path, faultless: dict[str, Any]
) -> None:
    """Killed, stalled, 500, 429 or 403: sync brings the server to where no fault would have."""

    def check(fault: str) -> None:
        with serving() as server:
            player = player_at(tmp_path / fault, server.url)
            if moment == "start":
                break_it(server, fault)
            played = sweep(player, moment, lambda: break_it(server, fault))
            check_results(played)
            assert set(played.states()) & {"offline", "partial"}
            heal(server)
            done = player.sync()
            assert "W&B: 2 of 2 runs complete" in done.stdout
            assert shown(server) == faultless
            assert not server.unknown

    with ThreadPoolExecutor() as at_once:  # most of it is waiting
        list(at_once.map(check, faults))


@pytest.mark.parametrize("case", some(["wrong key", "blackholed", "no key"], 1))
@pytest.mark.slow
def test_without_a_way_to_the_server_runs_go_on_and_are_synced_later(
    case: str, tmp_path: Path, faultless: dict[str, Any]
) -> None:
    """A laptop on a train, a key that was mistyped, an account that is made later."""
    with serving() as server, _blackhole() as nowhere:
        player = player_at(
            tmp_path,
            nowhere if case == "blackholed" else server.url,
            {"blackholed": KEY, "wrong key": "0" * 40, "no key": ""}[case],
        )
        played = sweep(player, "never", lambda: None)
        check_results(played)
        assert played.states() == ["offline"] * 2
        assert "W&B: offline" in played.log
        player.env = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
        assert "2 sent from offline files" in player.sync().stdout
        assert shown(server) == faultless


class _blackhole:
    """The address of a server that takes no connection and refuses none: its queue is full."""

    def __enter__(self) -> str:
        self.sockets = [socket.socket()]
        self.sockets[0].bind(("127.0.0.1", 0))
        self.sockets[0].listen(0)
        address = self.sockets[0].getsockname()
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(address)
            self.sockets.append(client)
        return f"http://127.0.0.1:{address[1]}"

    def __exit__(self, *error: object) -> None:
        for one in self.sockets:
            one.close()
