"""Runs taken from W&B as run folders."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.sweep_folder import SweepFolder
from tests import warm
from tests.tracking.player import Player
from tests.wandb_server import KEY, Server

RUNS = [
    {"name": "model=lstm,seed=0", "samples": True},
    {"name": "model=lstm,seed=1", "state": "diverged", "reason": "the loss is not finite"},
    {"name": "model=lstm,seed=2", "state": "failed", "exit_code": 1, "reason": "OSError: no"},
    {"name": "model=lstm,seed=3", "state": "interrupted", "exit_code": 130, "reason": "pruned"},
]


@pytest.fixture
def online(player: Player, server: Server) -> Player:
    player.env = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
    return player


def pull(player: Player, cache: Path, **arguments: str) -> "subprocess.CompletedProcess[str]":
    code = (
        "import json, sys; from pathlib import Path; "
        "from mnist_seq.tracking.wandb.pull import pull; "
        "given = json.loads(sys.argv[1]); cache = Path(given.pop('cache')); "
        "found = pull(given.pop('project'), given.pop('group'), cache, **given); "
        "print(*found.paths, found.left_out, sep='\\n')"
    )
    given = {"project": "mnist_seq", "group": "sweep", "cache": str(cache), **arguments}
    return warm.run(
        [sys.executable, "-c", code, json.dumps(given)], env=player.environment(),
        cwd=player.home, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_pulled_run_says_what_its_folder_says(
    online: Player, server: Server, tmp_path: Path
) -> None:
    """A report over pulled runs has the numbers of a report over the folders, by the same plan."""
    names = [str(run["name"]) for run in RUNS]
    online.root.mkdir(parents=True, exist_ok=True)
    arms = [{"name": "lstm", "baseline": "lstm", "seeds": [0, 1, 2, 3, 4], "ended": 0}]
    SweepFolder(online.root).add_plan({"rule": 1, "arms": [{**arms[0], "runs": [*names, "later"]}]})
    assert online.play(RUNS, group="sweep").states() == ["synced"] * 4
    cache = tmp_path / "cache"
    done = pull(online, cache)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5
    assert not done.stdout.splitlines()[-1]
    for run in RUNS:
        ours = RunFolder(online.root / str(run["name"]))
        theirs = RunFolder(cache / "mnist_seq" / "sweep" / str(run["name"]))
        assert theirs.metrics() == ours.metrics()
        assert theirs.state() == ours.state()
        assert theirs.predictions_path.exists() == ours.predictions_path.exists()
        for key in ("name", "config_hash", "data", "device", "created", "started"):
            assert theirs.record()[key] == ours.record()[key]
        # Its order too: variants are named by it
        assert json.dumps(theirs.record()["config"]) == json.dumps(ours.record()["config"])
        if ours.state() in ("finished", "diverged"):
            a, b = ours.result(), theirs.result()
            assert a["metrics"].items() <= b["metrics"].items()
            for key in ("best", "num_params", "seconds", "state", "reason", "steps",
                        "state_size", "multiply_adds"):  # fmt: skip
                assert a.get(key) == b.get(key)
    first = "model=lstm,seed=0"
    for a, b in zip(
        RunFolder(online.root / first).predictions(),
        RunFolder(cache / "mnist_seq" / "sweep" / first).predictions(),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    (noted,) = SweepFolder(cache / "mnist_seq" / "sweep").ledger()
    assert noted == {"run": "model=lstm,seed=3", "change": "interrupted", "reason": "pruned"}
    assert SweepFolder(cache / "mnist_seq" / "sweep").plans() == SweepFolder(online.root).plans()
    assert "OSError: no" in RunFolder(cache / "mnist_seq/sweep/model=lstm,seed=2").error()
    server.requests.clear()
    assert pull(online, cache).returncode == 0
    assert "RunParquetHistory" not in server.requests, "what has not changed is not read again"
    assert not server.unknown


@pytest.mark.slow
def test_a_run_that_was_replaced_is_not_pulled(
    online: Player, server: Server, tmp_path: Path
) -> None:
    """W&B keeps it, and its group would hold a variant that the sweep has no more."""
    group = "n" * 150  # longer than W&B takes
    online.root = online.root.with_name(group)
    online.play([{"name": "a"}], "training.epochs=2", group=group)
    shutil.rmtree(online.root / "a")
    online.play([{"name": "a"}, {"name": "b"}], group=group)
    assert len(server.runs) == 3
    done = pull(online, tmp_path / "cache", group=group)
    assert done.returncode == 0, done.stderr
    assert "1 replaced by a later run of their folder" in done.stdout
    found = sorted((tmp_path / "cache" / "mnist_seq" / group).iterdir())
    assert [folder.name for folder in found] == ["a", "b"]
    record = RunFolder(found[0]).record()
    assert record["config"]["training"]["epochs"] == 1
    assert (record["wandb"]["project"], record["wandb"]["entity"]) == ("mnist_seq", "me")


@pytest.mark.slow
def test_no_run_keeps_the_others_from_being_pulled(
    online: Player, server: Server, tmp_path: Path
) -> None:
    """Runs of other programs and half of a run lie in real groups; what lacks comes later."""
    online.play([{"name": "a", "samples": True}, {"name": "b", "seed": 1}], group="sweep")
    a, b = server.run_named("a"), server.run_named("b")
    del b.config["run"]["folder"]
    b.fields["displayName"] = "a"  # two of one name
    odd = {
        "foreign": {"config": {"model": "resnet", "data": "x", "seed": 1, "run": 5}},
        "bare": {"config": {"run": {"config_hash": "x"}}},
        "running": {"state": "running"},
        "crashed": {"state": "crashed", "summary": {}},
    }
    for name, change in odd.items():
        server.runs["mnist_seq", name] = dataclasses.replace(a, name=name, **change)
    (key,) = [key for key in server.blobs if key.endswith("predictions.npz")]
    content = server.blobs.pop(key)
    cache = tmp_path / "cache"
    done = pull(online, cache)
    assert done.returncode == 0, done.stderr
    *paths, left_out = done.stdout.splitlines()
    assert [Path(path).name for path in paths] == ["a", f"a_{b.name}"]
    assert left_out == (
        "left out of the group's 6 runs in W&B: 2 not of this project, 1 still running, "
        "1 crashed without a recorded end"
    )
    folder = RunFolder(cache / "mnist_seq" / "sweep" / "a")
    assert not folder.predictions_path.exists()
    server.blobs[key] = content
    server.requests.clear()
    assert pull(online, cache).returncode == 0
    assert folder.predictions_path.exists()
    assert server.requests.count("RunParquetHistory") == 1, "the other one has not changed"
    folder.record_path.write_bytes(folder.record_path.read_bytes()[:300])
    a.history.pop()
    assert pull(online, cache).stdout == done.stdout
    assert folder.record()["pulled"]["rows"] == 2


def test_what_is_not_there_is_said_in_one_line(online: Player, tmp_path: Path) -> None:
    """The rule, the value, the way out."""
    said = pull(online, tmp_path / "cache", group="none").stderr.splitlines()[-1]
    assert "W&B holds no ended runs of this project: project=mnist_seq group=none" in said
    online.env = {"WANDB_BASE_URL": online.env["WANDB_BASE_URL"]}
    assert "no credentials" in pull(online, tmp_path / "cache").stderr.splitlines()[-1]
