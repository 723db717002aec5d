"""A whole study in one YAML of a user's own folder, as Hydra's users keep it."""

from pathlib import Path

import pytest

from tests.sweep.conftest import SMALL, SweepRunner

pytest.importorskip("optuna", reason="pip install '.[optuna]'")

STUDY = """# @package _global_
defaults: [override /hydra/sweeper: optuna, override /hydra/launcher: stack]
hydra: {sweeper: {n_trials: 3, params: {seed: 3, model.hidden: "choice(8,16)"}}}
"""
GRID = """# @package _global_
hydra: {sweeper: {params: {seed: range(3), model.hidden: 8}}}
"""


@pytest.fixture
def own(sweep: SweepRunner) -> SweepRunner:
    for name, text in {"study": STUDY, "grid": GRID}.items():
        path = Path(sweep.folder / "own" / "experiment" / f"{name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sweep


WORDS = ["--config-dir=own", *SMALL, "sweep.dry_run=true", "sweep.baseline=none"]


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
    words = [*SMALL, "sweep.dry_run=true", "data.root='${hydra:runtime.cwd}/data'"]
    assert "2 runs: 2 new" in sweep(*words, "seed=0,1")
