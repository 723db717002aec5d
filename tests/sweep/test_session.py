"""A sweep as a user types it, from its plan to its last line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import some
from tests.sweep.conftest import SMALL, SweepRunner, changes, numbers, sweep_env

TINY = [*SMALL, "data.limit=64", "data.valid=0", "model.hidden=8"]


def test_a_dry_run_prints_the_plan_and_leaves_nothing(sweep: SweepRunner) -> None:
    output = sweep(*TINY, "model.hidden=8,16", "seed=range(2)", "sweep.dry_run=true")
    assert "added 2 baseline runs (hidden=64) for the comparison; sweep.baseline=none" in output
    rows = [line.split() for line in output.splitlines() if line.startswith("hidden=")]
    assert [row[0] for row in rows] == ["hidden=8", "hidden=16", "hidden=64"]
    assert rows[2] == ["hidden=64", "(added", "as", "baseline)", "2", "2", "0", "24,714"]
    assert "6 runs: 6 new" in output
    assert not (sweep.folder / "outputs").exists()


@pytest.mark.slow
def test_a_finished_sweep_is_reused_grown_and_never_mixed(sweep: SweepRunner) -> None:
    """One name, five commands: a grid, a larger one, another config, and both ways out of that."""
    words = [*TINY, "sweep.name=s"]
    sweep(*words, "seed=0,1")
    before = numbers(sweep.sweep("s").run("seed=0"))
    output = sweep(*words, "seed=0,1,2")
    assert "3 runs: 1 new, 2 already done" in output
    assert "3 of 3 runs done, 2 of them before" in output
    assert "next: python -m mnist_seq.compare sweep=" in output
    assert changes(sweep.sweep("s"), "started") == ["seed=0", "seed=1", "seed=2"]
    changed = [*words, "seed=0,1", "optimizer.lr=0.5"]
    output = sweep(*changed, code=1)
    assert "seed=0 (optimizer.lr (0.01, now 0.5))" in output
    assert len(output.strip().splitlines()) == 1
    assert "2 already done" in sweep(*changed, "sweep.stale=keep")
    assert numbers(sweep.sweep("s").run("seed=0")) == before
    assert "2 runs: 2 to run anew" in sweep(*changed, "sweep.stale=rerun")
    assert numbers(sweep.sweep("s").run("seed=0")) != before
    assert len(list(sweep.sweep("s").stale_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    some(
        [
            (["hydra.run.dir=x"], "hydra.run.dir=x says where one run goes, and this is a sweep"),
            (["model.hidden=8,x"], "model.hidden must be a whole number: model.hidden=x"),
            (["model=lstm,lsmt"], "did you mean model=lstm?"),
            (["model.hiden=8,16"], "did you mean model.hidden?"),
            (["sweep.retries=0,1"], "give sweep.retries one value"),
            (["sweep.zip=[seed]", "seed=1"], "sweep.zip must name swept keys: seed"),
            (["sweep.name=a/b"], "sweep.name must be a plain folder name"),
            (["data.root=nowhere", "data=kmnist"], "four IDX files"),
            (["seed=0,-1"], "seed must be 0 or more"),
            (["hydra/launcher=poool"], "hydra/launcher must be one of"),
        ],
        3,
    ),
)
def test_an_impossible_sweep_is_one_line_and_runs_nothing(
    sweep: SweepRunner, words: list[str], says: str
) -> None:
    """Found before the first of 300 runs, not after the 150th."""
    words = [*(w for w in TINY if not (w.startswith("data") and "data=kmnist" in words)), *words]
    output = sweep(*words, code=1)
    assert says in output
    assert len([line for line in output.splitlines() if line.strip()]) == 1, output
    assert not list(sweep.folder.rglob("run.json"))


@pytest.mark.slow
def test_odd_names_are_folders_like_any_other(sweep: SweepRunner) -> None:
    """Spaces, quotes, brackets and letters of other scripts pass shells, Hydra and file systems."""
    words = [*TINY, 'sweep.name="it\'s [a] {b}, 漢 = 1"', "optimizer.betas=[0.9,0.99],[0.8,0.9]"]
    sweep(*words, "sweep.baseline=none")
    folder = sweep.sweep("it's [a] {b}, 漢 = 1")
    assert [run.path.name for run in folder.runs()] == [
        "optimizer.betas=[0.8,0.9]", "optimizer.betas=[0.9,0.99]"]  # fmt: skip
    assert {run.state() for run in folder.runs()} == {"finished"}
    assert "2 already done" in sweep(*words, "sweep.baseline=none")


@pytest.mark.slow
def test_the_console_script_sweeps_into_any_folder(tmp_path: Path) -> None:
    target = tmp_path / "else where"
    script = Path(sys.executable).with_name("mnist-seq-train")
    if not script.exists():
        pytest.skip("the package is not installed")
    command = [str(script), "-m", *TINY, "seed=0,1", f"hydra.sweep.dir='{target}'"]
    done = subprocess.run(
        command, cwd=tmp_path, env=sweep_env(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {run.name for run in target.glob("seed=*")} == {"seed=0", "seed=1"}


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
@pytest.mark.slow
def test_a_full_disk_fails_its_runs_and_ends_the_sweep_in_order(sweep: SweepRunner) -> None:
    """The limit on file sizes acts as a full disk does."""
    command = ["bash", "-c", 'trap "" XFSZ; ulimit -f 60; exec "$@"', "x", sys.executable]
    words = ["-m", "mnist_seq.train", "-m", *SMALL, "model.hidden=64", "seed=0,1", "sweep.name=s"]
    done = subprocess.run(
        [*command, *words], cwd=sweep.folder, env=sweep_env(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"2 failed:\n  seed=0: OSError: .*File too large", done.stdout)
    assert "Traceback" not in done.stdout + done.stderr
    assert "2 of 2 runs done, 2 of them before" not in sweep(*words[3:])
    assert {run.state() for run in sweep.sweep("s").runs()} == {"finished"}
