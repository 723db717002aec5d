"""Commands that are printed are pasted, and do what was said."""

import json
import re
import shlex
import subprocess
import sys

import pytest
import yaml

from tests import warm
from tests.sweep.conftest import SweepRunner, sweep_env

pytest.importorskip("optuna", reason="pip install '.[optuna]'")

OWN = {
    "mine": "defaults: [train, {override data: few}, {override tracker: none}, _self_]\n",
    "data/few": "defaults: [mnist_5k]\nlimit: 64\nvalid: 64\n",
    "model/tiny": "defaults: [rnn]\nhidden: 4\n",
    "experiment/study": """# @package _global_
defaults: [override /hydra/sweeper: optuna]
hydra:
  sweeper:
    n_trials: 2
    params: {model: tiny, model.nonlinearity: relu, seed: 3, optimizer.lr: "choice(0.01,0.1)"}
""",
}
FLAGS = ["--config-dir", "own conf", "-cn", "mine"]


@pytest.fixture
def own(sweep: SweepRunner) -> SweepRunner:
    for name, text in OWN.items():
        path = sweep.folder / "own conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sweep


def pasted(sweep: SweepRunner, command: str, *more: str, code: int = 0) -> str:
    """The output of a command as a shell runs it, in the same folder."""
    program, *words = shlex.split(command)
    assert program == "python"
    done = warm.run(
        [sys.executable, *words, *more],
        cwd=sweep.folder, env=sweep_env(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return str(done.stdout + done.stderr)


def after(text: str, output: str) -> str:
    found = re.findall(rf"{text} *\n? *(python -m mnist_seq.*)$", output, re.MULTILINE)
    assert len(found) == 1, output
    return str(found[0])


@pytest.mark.slow
def test_the_commands_of_a_search_over_own_configs(own: SweepRunner) -> None:
    """Its winner is one run of the same config; what is added for a comparison is a grid."""
    output = own(*FLAGS, "experiment=study", "sweep.name=s")
    composed = yaml.safe_load(pasted(own, after("its command:", output), "--cfg", "job"))
    answer = yaml.safe_load((own.folder / "outputs/sweeps/s/optimization_results.yaml").read_text())
    best = json.loads((own.folder / "outputs/sweeps/s" / answer["folder"] / "run.json").read_text())
    assert best["config"]["model"].items() <= composed["model"].items()  # less later defaults
    assert composed["optimizer"] == best["config"]["optimizer"]
    assert (composed["seed"], composed["data"]["limit"]) == (3, 64)
    words = ["-m", "mnist_seq.compare", "sweep=outputs/sweeps/s", "baseline=model=gru"]
    output = pasted(own, shlex.join(["python", *words]), code=1)
    # neither the words of the trial nor those of the YAML give the GRU what only the RNN has
    again = pasted(own, after("add it:", output), "sweep.dry_run=true")
    assert "1 run: 1 new" in again
    assert "outputs/sweeps/s\n" not in again, "the search would take it for a trial"


@pytest.mark.slow
def test_the_commands_of_a_sweep_over_own_configs(own: SweepRunner) -> None:
    """What is added goes beside the runs that it is compared with, into folders of its own."""
    words = ["model=tiny", "sweep.baseline=none", "hydra/launcher=stack", "sweep.name=g"]
    compare = after("next:", own(*FLAGS, *words))
    add = after("add it:", pasted(own, compare))
    assert "hydra/launcher=stack" in add
    assert "1 run: 1 new" in pasted(own, add)
    assert sorted(run.path.name for run in own.sweep("g").runs()) == [
        "model=lstm,model.hidden=4",
        "run",
    ]
    assert "missing" not in pasted(own, compare)


def test_a_plan_finds_the_baseline_of_an_own_option(own: SweepRunner) -> None:
    """It has the size that the option's YAML sets, or it would be no baseline of it."""
    output = own(*FLAGS, "model=tiny", "sweep.dry_run=true")
    assert "2 runs: 2 new" in output
    assert "added 1 baseline run (lstm)" in output
