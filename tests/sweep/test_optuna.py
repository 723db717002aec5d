"""Searches for real: streamed through the pool, pruned, killed, gone on with, never repeated."""

import importlib.util
import json
import os
import re
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from mnist_seq.config import ConfigError, conf_dir
from mnist_seq.runs.folder import RunFolder
from tests import warm
from tests.conftest import some
from tests.sweep.conftest import SMALL, SweepRunner, gone, numbers, sweep_env, wait_until
from tests.sweep.test_engines import needs

optuna = pytest.importorskip("optuna", reason="pip install '.[optuna]'")

from mnist_seq.sweep.search.settings import checked  # noqa: E402
from mnist_seq.sweep.search.space import read_space  # noqa: E402

BASE = [*SMALL, "hydra/sweeper=optuna", "sweep.name=s", "data.limit=1200"]
# 12 steps an epoch; lr decides alone, and its worst value learns nothing
GRID = [
    *BASE,
    "training.epochs=6",
    "model.hidden=8",
    "optimizer.lr=0.03,0.02,0.00000001",
    "seed=choice(0,1)",
    "hydra.sweeper.sampler=grid",
    "+hydra.sweeper.pruner_options.n_startup_trials=1",
    "hydra.launcher.workers=1",
]
TPE = [*BASE, "training.epochs=8", "hydra.sweeper.n_trials=6", "hydra.sweeper.pruner=none",
       "model.hidden=choice(8,16)"]  # fmt: skip


def study(folder: Path) -> Any:
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "optuna.journal"))
    return optuna.load_study(study_name="search", storage=optuna.storages.JournalStorage(backend))


def trials(sweep: SweepRunner) -> list[Any]:
    found: list[Any] = study(sweep.sweep("s").path).trials
    return found


def states(sweep: SweepRunner) -> list[str]:
    return [trial.state.name for trial in trials(sweep)]


@pytest.mark.slow
def test_a_search_ends_with_its_best_trial_and_prunes_the_hopeless(sweep: SweepRunner) -> None:
    output = sweep(*GRID)
    folder = sweep.sweep("s")
    found = trials(sweep)
    assert len(found) == 6
    assert all(t.state.name in ("COMPLETE", "PRUNED") for t in found)
    pruned = [t for t in found if t.state.name == "PRUNED"]
    assert "1e-08" in {t.params["optimizer.lr"] for t in pruned}, found
    best = max((t for t in found if t.state.name == "COMPLETE"), key=lambda t: t.value)
    for trial in found:  # each trial names its folder, and the ledger its trial
        run = folder.run(trial.user_attrs["folder"])
        planned = [r for r in folder.ledger() if r.get("trial") == trial.number]
        assert [r["run"] for r in planned] == [run.path.name]
        if trial in pruned:
            assert run.state() == "interrupted"
            reasons = [r["reason"] for r in folder.ledger()
                       if r["run"] == run.path.name and r["change"] == "interrupted"]  # fmt: skip
            assert reasons == [trial.user_attrs["reason"]]
            assert reasons[0].startswith("pruned at evaluation ")
        else:
            assert trial.value == run.result()["metrics"]["valid/accuracy"]
            rows = [row["valid/accuracy"] for row in run.metrics()]
            assert list(trial.intermediate_values.values()) == rows
    results: Any = OmegaConf.to_container(OmegaConf.load(folder.path / "optimization_results.yaml"))
    assert results["best_trial"] == best.number
    assert results["best_value"] == best.value
    assert f"best: trial {best.number}" in output
    _the_command_repeats_the_best_run(sweep, output, folder.run(best.user_attrs["folder"]))
    before = folder.ledger()
    assert "6 trials done, 0 to go on with" in sweep(*GRID)
    assert folder.ledger() == before


def _the_command_repeats_the_best_run(sweep: SweepRunner, output: str, run: RunFolder) -> None:
    command = re.search(r"its command: python -m (.*)$", output, re.MULTILINE)
    assert command
    warm.run(
        [sys.executable, "-m", *shlex.split(command[1]), "hydra.run.dir=alone"],
        cwd=sweep.folder, env=sweep_env(), check=True, capture_output=True,
    )  # fmt: skip
    assert numbers(RunFolder(sweep.folder / "alone")) == numbers(run)


@pytest.mark.slow
def test_a_killed_search_goes_on_without_losing_or_repeating_a_trial(sweep: SweepRunner) -> None:
    """Hydra's sweeper leaves a trial running for ever, and overwrites the folders of the first."""
    process = sweep.start(*TPE)
    folder = sweep.sweep("s")
    wait_until(lambda: len(list(folder.path.glob("*/result.json"))) >= 2, process)
    process.kill()
    process.communicate()
    assert gone(sweep.folder, 15)
    assert "RUNNING" in states(sweep)
    finished = {p: p.stat().st_mtime_ns for p in folder.path.glob("*/result.json")}
    with (folder.path / "optuna.journal").open("ab") as journal:
        journal.write(b'{"op_code": 4, "worker')  # what a kill in the middle of a write leaves
    (folder.path / "optuna.journal.lock").touch()
    output = sweep(*TPE)
    assert "to go on with" in output
    assert states(sweep) == ["COMPLETE"] * 6
    assert {p: p.stat().st_mtime_ns for p in finished} == finished
    names = [trial.user_attrs["folder"] for trial in trials(sweep)]
    assert len(set(names)) == 6
    again = sweep(*TPE, "hydra.sweeper.n_trials=7")
    assert "6 trials done, 0 to go on with, 0 failed before and run again, 1 new" in again
    assert states(sweep) == ["COMPLETE"] * 7
    assert len({json.dumps(trial.params) for trial in trials(sweep)}) == 7, "no point twice"


@pytest.mark.slow
def test_a_failed_trial_is_run_again_by_the_same_command(sweep: SweepRunner) -> None:
    words = [*BASE, "model.hidden=8,12", "optimizer.lr=0.01", "hydra.sweeper.sampler=grid"]
    sweep.trouble(**{"model.hidden=8": "kill"})
    output = sweep(*words, code=1)
    assert re.search(r"FAILED model.hidden=8.*SIGKILL", output), output
    assert sorted(states(sweep)) == ["COMPLETE", "FAIL"]
    sweep.no_trouble()
    assert "1 trial done, 0 to go on with, 1 failed before and run again, 0 new" in sweep(*words)
    assert sorted(states(sweep)) == ["COMPLETE", "COMPLETE", "FAIL"]
    assert "2 trials done" in sweep(*words)


@pytest.mark.slow
def test_ctrl_c_keeps_the_trials_at_work(sweep: SweepRunner) -> None:
    words = [*TPE, "training.epochs=40", "hydra.sweeper.n_trials=3"]
    process = sweep.start(*words)
    folder = sweep.sweep("s")
    wait_until(lambda: any(folder.path.glob("*/checkpoint.pt")), process)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "to go on: python -m mnist_seq.train" in output
    assert set(states(sweep)) <= {"RUNNING", "COMPLETE"}
    assert "FAIL" not in sweep(*words)
    assert states(sweep) == ["COMPLETE"] * 3


@pytest.mark.slow
def test_trials_with_equal_values_share_a_run(sweep: SweepRunner) -> None:
    words = [*BASE, "model.hidden=choice(8,12)", "optimizer.lr=0.01",
             "hydra.sweeper.sampler=random", "hydra.sweeper.n_trials=5"]  # fmt: skip
    sweep(*words)
    assert states(sweep) == ["COMPLETE"] * 5
    runs = [run.path.name for run in sweep.sweep("s").runs()]
    assert len(runs) <= 2
    starts = [row["run"] for row in sweep.sweep("s").ledger() if row["change"] == "started"]
    assert sorted(starts) == sorted(runs)


@pytest.mark.slow
def test_a_run_with_one_evaluation_is_not_pruned(sweep: SweepRunner) -> None:
    """It has trained to its end by then, and its test is still to be read."""
    words = [word for word in GRID if not word.startswith("training.epochs")]
    sweep(*words, "training.epochs=1")
    assert {trial.state.name for trial in trials(sweep)} == {"COMPLETE"}


@pytest.mark.skipif(importlib.util.find_spec("cmaes") is None, reason="pip install '.[optuna]'")
@pytest.mark.slow
def test_cma_es_goes_on_over_numbers_beside_a_choice(sweep: SweepRunner) -> None:
    words = [*BASE, "model=rnn,irnn", "model.hidden=range(4,9)", "hydra.sweeper.sampler=cmaes"]
    for total in (3, 4):
        sweep(*words, f"hydra.sweeper.n_trials={total}")
        assert states(sweep) == ["COMPLETE"] * total
    # CMA-ES keeps its own state beside trials that it has chosen
    assert any(key.startswith("cma:") for t in trials(sweep) for key in t.system_attrs)


@needs("joblib")
@pytest.mark.slow
def test_an_engine_prunes_too(sweep: SweepRunner) -> None:
    """Its jobs send no events: their evaluations are read from their folders."""
    words = [w for w in GRID if not w.startswith("training.epochs")]
    sweep(*words, "training.epochs=150", "seed=0", "optimizer.lr=0.02,0.00000001",
          "hydra/launcher=joblib")  # fmt: skip
    assert states(sweep) == ["COMPLETE", "PRUNED"]


REFUSED = [
    (["hydra.sweeper.objective=test/accuracy"], "the test set"),
    (["hydra.sweeper.objective=valid/loss"], "direction=minimize"),
    (["hydra.sweeper.objective=valid/mse"], "one of valid/accuracy, valid/loss: objective="),
    (["hydra.sweeper.sampler=grid"], "grid needs choices or ranges"),
    (["hydra.sweeper.n_trials=0"], "n_trials must be a whole number"),
    (["hydra.sweeper.pruner=greedy"], "none, median, hyperband"),
    (["+hydra.sweeper.n_trails=3"], "no code reads hydra.sweeper.n_trails"),
    (["~hydra.sweeper.seed"], "hydra.sweeper.seed was taken out by another override"),
    (["hydra.sweeper.pruner_options={n_warmup_steps:1}"], "write +hydra.sweeper.pruner_options."),
    (["model.hidden=choice(0,8)"], "model.hidden must be 1 or more"),
    (["hydra/launcher=basic"], "a search runs in hydra/launcher=pool"),
    (["optimizer.lr=interval(0.1,0.01)"], "an interval must rise"),
    (["data.valid=0"], "data.valid=0"),
]


@pytest.mark.parametrize(("words", "says"), some(REFUSED, 2))
def test_a_search_that_cannot_be_is_refused_in_one_line(
    sweep: SweepRunner, words: list[str], says: str
) -> None:
    """Above all one on the test set, whose winner nothing would be left to measure with."""
    output = sweep(*BASE, *words, code=1)
    assert says in output
    assert len(output.strip().splitlines()) == 1, output
    assert not sweep.sweep("s").path.exists()


@pytest.mark.slow
def test_another_search_under_the_same_name_is_refused(sweep: SweepRunner) -> None:
    words = [*BASE, "model.hidden=8", "optimizer.lr=0.01,0.02", "hydra.sweeper.n_trials=2"]
    sweep(*words)
    output = sweep(*words, "training.epochs=2", code=1)
    assert "training.epochs (1, now 2)" in output


def test_dry_run_shows_the_space_and_runs_nothing(sweep: SweepRunner) -> None:
    output = sweep(*BASE, "sweep.dry_run=true")
    assert "optimizer.lr=tag(log, interval(1e-4, 1e-1))" in output
    assert not sweep.sweep("s").path.exists()


def test_the_space_is_written_in_hydras_grammar() -> None:
    """`range` leaves its end out here as in a sweep, where Hydra's own Optuna sweeper takes it."""
    words = ["a=range(1,4)", "b=int(interval(16,256))", "c=tag(log,interval(0.1,10))", "d=x,y",
             "e=7", "f=range(0,1,0.25)"]  # fmt: skip
    space = read_space(words, {"e": "choice(1,2)", "g": "interval(0,1)"}, OverridesParser.create())
    of = optuna.distributions
    assert space.distributions == {
        "a": of.IntDistribution(1, 3),
        "b": of.IntDistribution(16, 256),
        "c": of.FloatDistribution(0.1, 10, log=True),
        "d": of.CategoricalDistribution(["x", "y"]),
        "f": of.FloatDistribution(0, 0.75, step=0.25),
        "g": of.FloatDistribution(0, 1),
    }
    assert space.fixed == ("e=7",)
    assert read_space([*words, "a=2"], {}, OverridesParser.create()).fixed == ("a=2", "e=7")
    assert space.words({"a": 1, "b": 16, "c": 0.5, "d": "x", "f": 0.25, "g": 0.125}) == (
        "e=7", "a=1", "b=16", "c=0.5", "d=x", "f=0.25", "g=0.125",
    )  # fmt: skip
    with pytest.raises(ConfigError, match="needs something to search"):
        read_space(["a=1"], {}, OverridesParser.create())
    with pytest.raises(ConfigError, match="must hold sweeps"):
        read_space([], {"a": "3"}, OverridesParser.create())


def test_cma_es_without_two_numbers_or_its_package_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Optuna would warn, and draw at random."""
    grammar = OverridesParser.create()
    with pytest.raises(ConfigError, match=r"needs two numbers or more.*: a; write"):
        read_space(["a=range(1,4)", "b=x,y"], {}, grammar).check_cma_es()
    read_space(["a=range(1,4)", "b=interval(0,1)"], {}, grammar).check_cma_es()
    settings = OmegaConf.to_container(OmegaConf.load(conf_dir() / "hydra/sweeper/optuna.yaml"))
    assert isinstance(settings, dict)
    of_search = {str(k): v for k, v in settings.items() if k not in ("_target_", "params")}
    monkeypatch.setitem(sys.modules, "cmaes", None)  # is not installed
    with pytest.raises(ConfigError, match=r"needs the package cmaes: pip install 'mnist_seq\["):
        checked({**of_search, "sampler": "cmaes"})


def test_planning_a_search_takes_no_time(sweep: SweepRunner) -> None:
    """Composition is slow in Hydra: a million trials, composed beforehand, would take a day."""
    assert "nothing was run" in sweep(*BASE, "hydra.sweeper.n_trials=1000000", "sweep.dry_run=true")
