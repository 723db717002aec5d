"""A whole study in one YAML of a user's own folder, as Hydra's users keep it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm
from tests.sweep.conftest import SMALL, SweepRunner, sweep_env

pytest.importorskip("optuna", reason="pip install '.[optuna]'")

STUDY = """# @package _global_
defaults: [override /hydra/sweeper: optuna, override /hydra/launcher: stack]
hydra: {sweeper: {n_trials: 3, params: {seed: 3, model.hidden: "choice(8,16)"}}}
"""
GRID = """# @package _global_
hydra: {sweeper: {params: {seed: range(3), model.hidden: 8}}}
"""
OWN = {
    "experiment/study": STUDY,
    "experiment/grid": GRID,
    "model/tiny": "defaults: [lstm]\nhidden: 4\n",
    "optimizer/fast": "defaults: [adam]\nlr: 0.1\n",
}


@pytest.fixture
def own(sweep: SweepRunner) -> SweepRunner:
    for name, text in OWN.items():
        path = Path(sweep.folder / "own" / f"{name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sweep


WORDS = ["--config-dir=own", *SMALL, "sweep.dry_run=true", "sweep.baseline=none"]


@pytest.mark.slow
def test_an_experiment_chooses_sweeper_and_launcher(own: SweepRunner) -> None:
    """The main YAML's own choice must not win over it."""
    assert "hydra/launcher=stack" in own(*WORDS, "experiment=study", code=1)
    words = [*WORDS, "experiment=study", "hydra/launcher=pool"]
    output = own(*words)
    assert "over 3 trials" in output
    assert output.splitlines()[-2] == "  model.hidden=choice(8,16)", "and nothing else is searched"
    assert "over 2 trials" in own(*words, "hydra.sweeper.n_trials=2")


def test_a_grid_of_an_experiment_is_planned_and_typed_words_win(own: SweepRunner) -> None:
    assert "3 runs: 3 new" in own(*WORDS, "experiment=grid")
    assert "2 runs: 2 new" in own(*WORDS, "experiment=grid", "++seed=7,8")


def test_a_key_with_a_plus_is_not_searched(sweep: SweepRunner) -> None:
    """It was searched in spite of its value: the runs had other numbers than asked for."""
    words = [*SMALL, "hydra/sweeper=optuna", "sweep.dry_run=true", "++optimizer.lr=0.5"]
    output = sweep(*words, "model=glob(l*)")
    assert "optimizer.lr=" not in output
    assert "  model=glob(l*)" in output


def test_hydras_node_is_known_in_a_plan(sweep: SweepRunner) -> None:
    words = [*SMALL, "sweep.dry_run=true", "data.root=${hydra:runtime.cwd}/data"]
    words.append("hydra.launcher.workers=${hydra:job_logging.version}")
    assert "2 runs: 2 new" in sweep(*words, "seed=0,1")


def test_own_options_of_groups_are_taken(own: SweepRunner) -> None:
    output = own(*WORDS, "model=tiny,rnn", "optimizer=fast")
    assert "2 runs: 2 new" in output
    refusal = own(*WORDS, "model=tny,rnn", code=1)
    assert ", tiny, " in refusal
    assert ": model=tny; did you mean model=tiny?" in refusal


def test_an_unknown_flag_and_a_list_of_objectives_are_one_line(sweep: SweepRunner) -> None:
    output = sweep("--hlep", code=1)
    assert output == "mnist_seq: no code reads the flag --hlep; did you mean --help?\n"
    words = ["hydra/sweeper=optuna", "hydra.sweeper.objective=[valid/loss,num_params]"]
    output = sweep(*SMALL, *words, code=1)
    assert "a search has one objective" in output
    assert output.count("\n") == 1


def test_a_key_of_some_options_is_explained_in_a_sweep_over_them(sweep: SweepRunner) -> None:
    words = [*SMALL, "sweep.dry_run=true", "optimizer=sgd,rmsprop"]
    output = sweep(*words, "optimizer.momentum=0.9", code=1)
    assert "write ++optimizer.momentum=<value>" in output
    assert "2 runs: 2 new" in sweep(*words, "++optimizer.momentum=0.9", "sweep.baseline=none")
    tasks = [w for w in SMALL if not w.startswith("data")] + ["experiment=adding,parity"]
    output = sweep(*tasks, "sweep.dry_run=true", "data.length=20", code=1)
    assert "experiment=adding,parity is a sweep" in output
    assert "write ++data.length=<value>" in output


@pytest.mark.slow
def test_what_lies_beside_another_setting_is_said_and_the_next_command_works(
    sweep: SweepRunner,
) -> None:
    words = [*SMALL, "data.limit=64", "data.valid=0", "sweep.name=s", "sweep.baseline=none"]
    sweep(*words, "seed=0,1", "training.epochs=2", "model.hidden=4")
    output = sweep(*words, "model.hidden=8,16")
    assert "the folder also holds 2 runs of another setting" in output
    assert "no comparison" not in output
    (command,) = re.findall("^next: (.*)$", output, re.M)
    done = warm.run(
        [sys.executable, *shlex.split(command)[1:]],
        cwd=sweep.folder, env=sweep_env(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
