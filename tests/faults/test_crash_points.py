"""SIGKILL at every named point of a run's life: the same command once more gives the same bits."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_seq.runs.disk.kill_points import RUN_POINTS, SWEEP_POINTS, VARIABLE
from mnist_seq.runs.folder import RunFolder
from tests.conftest import ROOT, clean_env, needs_compiler, some
from tests.sweep.conftest import SweepRunner, changes, gone, numbers, sweep

__all__ = ["sweep"]  # the fixture

OF_A_COMMAND = ("job: begun", "job: asked")  # not passed by a run that is trained by a function
POINTS = [point for point in RUN_POINTS if point not in OF_A_COMMAND]
AGAIN = ("best.pt", "checkpoint.pt", "metrics.jsonl")  # written more than once
CASES = [(p, 1) for p in POINTS] + [(p, 2) for p in POINTS if p.startswith(AGAIN)]


class Victims:
    """Runs that are trained in processes of their own, and killed where a file says so."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kill = folder, folder / "kill"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.victim"],
            cwd=ROOT,
            env={**clean_env(), VARIABLE: str(self.kill)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def train(self, folder: Path, *, kill_at: str = "", file_limit: int | None = None) -> int:
        """Exit code of a run's process, which may write files up to a limit in bytes."""
        self.kill.unlink(missing_ok=True)
        if kill_at:
            self.kill.write_text(kill_at)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([str(folder), file_limit]), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    victims = Victims(tmp_path_factory.mktemp("victims"))
    yield victims
    victims.close()


@pytest.fixture(scope="module")
def whole(victims: Victims) -> Any:
    """What the run reaches when nobody disturbs it."""
    assert victims.train(victims.folder / "whole") == 0
    return everything(RunFolder(victims.folder / "whole"))


def everything(run: RunFolder) -> Any:
    """All that a run leaves, but for times: numbers, weights, files."""
    weights = [torch.load(path, weights_only=True) for path in (run.model_path, run.best_path)]
    saved = torch.load(run.checkpoint_path, weights_only=True)
    saved["loop"].pop("seconds")
    values = [{key: value.tolist() for key, value in of.items()} for of in weights]
    names = sorted(path.name for path in run.path.iterdir())
    return numbers(run), values, saved["loop"], saved["random"]["cpu"].tolist(), names


@pytest.mark.parametrize(("point", "number"), some(CASES, 4))
def test_a_run_killed_at_any_point_and_started_again_gives_the_same_bits(
    victims: Victims, whole: Any, tmp_path: Path, point: str, number: int
) -> None:
    """No evaluation twice or lost, no half a file, and nothing left behind."""
    assert victims.train(tmp_path / "run", kill_at=f"{point} {number}") == -9
    assert not victims.kill.exists()
    assert victims.train(tmp_path / "run") == 0
    assert everything(RunFolder(tmp_path / "run")) == whole


@pytest.mark.slow
def test_a_run_killed_again_at_each_start_gets_through(
    victims: Victims, whole: Any, tmp_path: Path
) -> None:
    """Each point in turn, in one folder; a few starts end well, as their point is behind them."""
    codes = [victims.train(tmp_path / "run", kill_at=f"{point} {n}") for point, n in CASES]
    assert set(codes) <= {0, -9}
    assert codes.count(-9) > len(CASES) / 2
    assert victims.train(tmp_path / "run") == 0
    assert everything(RunFolder(tmp_path / "run")) == whole


@pytest.mark.parametrize("file_limit", some([60, 0, 400, 5000, 20_000], 1))
def test_a_run_that_finds_no_room_goes_on_when_there_is_some(
    victims: Victims, whole: Any, tmp_path: Path, file_limit: int
) -> None:
    """No byte more fits into some file: what is there stays whole, and the same command goes on."""
    run = RunFolder(tmp_path / "run")
    for _ in range(2):
        assert victims.train(run.path, file_limit=file_limit) == 1
        assert run.state() in ("absent", "failed", "interrupted")
    assert victims.train(run.path) == 0
    assert everything(run) == whole


THREE = ["data=mnist_5k", "tracker=none", "data.limit=1000", "model.hidden=8", "seed=range(3)",
         "training.batch_size=100", "training.eval_every=3", "training.checkpoint_every=4",
         "sweep.name=s", "sweep.baseline=none"]  # fmt: skip
NAMES = [f"seed={seed}" for seed in range(3)]
SWEEP_CASES = [
    *((point, 1) for point in RUN_POINTS),
    *((point, 2) for point in RUN_POINTS if point.startswith(AGAIN[1:])),
    *((point, 1) for point in SWEEP_POINTS[:-1]),
    *((point, number) for point in SWEEP_POINTS if "ledger" in point for number in (4, 8)),
]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    runner = SweepRunner(tmp_path_factory.mktemp("undisturbed"))
    try:
        runner(*THREE)
    finally:
        runner.close()
    return {name: numbers(runner.sweep("s").run(name)) for name in NAMES}


def kill_and_go_on(sweep: SweepRunner, kill_at: str, *words: str) -> None:
    """Start a sweep, have itself or a job of it killed at a point, and start it again."""
    kill = sweep.folder / "kill"
    kill.write_text(kill_at)
    process = sweep.start(*THREE, *words, **{VARIABLE: str(kill)})
    output, _ = process.communicate(timeout=240)
    assert not kill.exists(), f"{kill_at} was not passed: {output}"
    if kill_at.startswith(("multirun", "ledger", "run:")):
        assert process.returncode == -9, output
    else:  # a job that has its result is done, however its process ends
        assert process.returncode == (0 if kill_at.startswith("result.json: renamed") else 1), (
            output
        )
    sweep(*THREE, *words)


def check(sweep: SweepRunner, undisturbed: dict[str, Any]) -> None:
    folder = sweep.sweep("s")
    assert {name: numbers(folder.run(name)) for name in NAMES} == undisturbed
    assert sorted(run.path.name for run in folder.runs()) == NAMES
    assert not [path for run in folder.runs() for path in run.path.glob(".*.tmp")]
    assert set(NAMES) <= {*changes(folder, "finished"), *changes(folder, "reused")}
    assert gone(sweep.folder, 15)


@pytest.mark.slow
def test_a_sweep_killed_while_it_writes_its_ledger_goes_on(
    sweep: SweepRunner, undisturbed: dict[str, Any]
) -> None:
    """Half a line stands there, and jobs are at work without their parent."""
    kill_and_go_on(sweep, "ledger.jsonl: half a line 5")
    check(sweep, undisturbed)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("point", "number"), SWEEP_CASES)
def test_a_sweep_killed_at_any_point_and_started_again_gives_the_same_bits(
    sweep: SweepRunner, undisturbed: dict[str, Any], point: str, number: int
) -> None:
    """The first process of the sweep that passes the point dies there: a job, or the command."""
    kill_and_go_on(sweep, f"{point} {number}")
    check(sweep, undisturbed)


@needs_compiler
@pytest.mark.slow
def test_native_steps_killed_after_a_checkpoint_go_on_with_the_same_bits(
    sweep: SweepRunner, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A job dies by SIGKILL in the middle of its run; weights, rows and predictions are equal."""
    runner = SweepRunner(tmp_path_factory.mktemp("native"))
    try:
        runner(*THREE, "device.kernel=native")
    finally:
        runner.close()
    whole = {name: numbers(runner.sweep("s").run(name)) for name in NAMES}
    kill_and_go_on(sweep, "checkpoint.pt: renamed 2", "device.kernel=native")
    check(sweep, whole)
    assert {run.record()["kernel"] for run in sweep.sweep("s").runs()} == {"native"}


@pytest.mark.slow
def test_a_sweep_killed_after_it_has_set_a_run_aside_loses_neither_the_old_nor_the_new(
    sweep: SweepRunner, undisturbed: dict[str, Any]
) -> None:
    sweep(*THREE)
    other = {"hash": "0" * 64, "commit": "", "is_dirty": False, "version": "0"}
    for name in NAMES[:2]:
        sweep.sweep("s").run(name).update_record(code=other)
    kill_and_go_on(sweep, "run: set aside 1", "sweep.stale=rerun")
    check(sweep, undisturbed)
    assert len(list(sweep.sweep("s").stale_path.iterdir())) == 2
