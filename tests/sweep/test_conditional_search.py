"""Searches over options of a group that have keys of their own."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace as Names
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from rich.console import Console

from mnist_seq.config import ConfigError
from mnist_seq.config.paths import with_keys_of_choices
from tests.sweep.conftest import SMALL, SweepRunner, gone, wait_until

optuna = pytest.importorskip("optuna", reason="pip install '.[optuna]'")

from mnist_seq.sweep.search.answer import _show_best  # noqa: E402
from mnist_seq.sweep.search.space import Space, read_space  # noqa: E402
from mnist_seq.sweep.search.study import _check_same, ask, complete, queue_failed  # noqa: E402

WORDS = ["++model.reset=after,before", "++model.peepholes=true", "model=lstm,gru,rnn",
         "model.hidden=range(4,6)"]  # fmt: skip
ONLY = {"model.reset": ("model", ("gru",)), "model.peepholes": ("model", ("lstm",))}
SEARCH = [*SMALL, "hydra/sweeper=optuna", "sweep.name=s"]


@pytest.fixture(scope="module")
def space() -> Space:
    return replace(read_space(WORDS, {}, OverridesParser.create()), only=ONLY)


def test_a_trial_has_the_keys_of_its_option(space: Space) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [ask(study, space) for _ in range(12)]
    assert {trial.params["model"] for trial in trials} == {"lstm", "gru", "rnn"}
    for trial in trials:
        model, words = trial.params["model"], space.words(trial.params)
        assert ("model.reset" in trial.params) == (model == "gru")
        assert any("model.reset=" in word for word in words) == (model == "gru")
        assert ("++model.peepholes=true" in words) == (model == "lstm")


def test_a_trial_that_was_killed_while_it_was_drawn_is_completed(space: Space) -> None:
    """Its values are written one by one; a trial without one of them cannot be run."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask(
        {"model": optuna.distributions.CategoricalDistribution(["lstm", "gru", "rnn"])}
    )
    chosen = trial.params["model"]
    left = optuna.trial.Trial(study, trial._trial_id)
    complete(left, space)
    assert left.params["model"] == chosen
    assert left.params.keys() == {"model", "model.hidden"} | ({"model.reset"} & {*left.params})
    before = left.params
    complete(left, space)
    assert left.params == before


def test_a_failed_trial_comes_again_with_its_values(space: Space) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    while "model.reset" not in (trial := ask(study, space)).params:
        study.tell(trial, 0.5)
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    assert queue_failed(study) == 1
    assert ask(study, space).params == trial.params


def test_a_grid_has_each_trial_once(space: Space) -> None:
    points = list(space.grid())
    assert len(points) == 2 * (1 + 2 + 1)
    assert len({json.dumps(point) for point in points}) == len(points)
    assert points[0] == {"model": "lstm", "model.hidden": 4}
    assert [p["model.reset"] for p in points if p["model"] == "gru"] == ["after", "before"] * 2


def test_a_fixed_key_of_a_searched_group_is_the_same_in_all_commands(tmp_path: Path) -> None:
    """Trials of one layer and of two were compared; older searches have no record of it."""
    study = optuna.create_study()
    asked = {"search": {"model": "lstm,gru"}, "fixed": {"model.layers": "2"}}
    study.set_user_attr("asked", {"search": asked["search"]})
    _check_same(study, asked, tmp_path)
    study.set_user_attr("asked", {**asked, "fixed": {}})
    with pytest.raises(ConfigError, match=r"fixed\.model\.layers \(None, now 2\)"):
        _check_same(study, asked, tmp_path)


def test_the_plan_says_whose_key_it_is_and_cma_es_is_refused(space: Space) -> None:
    assert "model.reset=after,before: trials of model=gru only" in space.told()
    assert "model.peepholes=true: trials of model=lstm only" in space.told()
    words = [space.words(at) for at in space.corners()]
    for word in ("model=rnn", "++model.reset=after", "++model.reset=before", "model.hidden=5"):
        assert any(word in point for point in words), "each choice and each end is checked"
    with pytest.raises(ConfigError, match=r"cmaes needs the same keys in all trials: model.reset"):
        space.check_cma_es()


def test_hydra_takes_the_keys_of_an_option_that_is_not_the_default() -> None:
    words = ["model=lstm,gru", "model.reset=after", "model.hidden=4", "optimizer.momentum=0.9"]
    asked = ["hydra/sweeper=optuna", *words]
    assert with_keys_of_choices(words) == words, "a sweep has the same keys in all of its runs"
    assert with_keys_of_choices(asked) == [
        "hydra/sweeper=optuna", "model=lstm,gru", "++model.reset=after", *words[2:],
    ]  # fmt: skip
    one = ["hydra/sweeper=optuna", "model=gru", "model.reset=after,before"]
    assert with_keys_of_choices(one) == one


@pytest.mark.parametrize("width", [80, 30])
def test_the_best_trials_show_no_value_of_a_key_that_a_trial_lacks(width: int) -> None:
    params = [{"model": "lstm"}, {"model": "gru", "model.reset": "after"}]
    trials = [Names(number=n, value=0.9, params=given) for n, given in enumerate(params)]
    console = Console(record=True, width=width)
    known = Names(settings=Names(objective="valid/accuracy"),
                  space=Names(distributions=dict.fromkeys(params[1])))  # fmt: skip
    _show_best(trials, known, console)  # type: ignore[arg-type]
    lines = console.export_text()
    assert "after" in lines
    assert ("\N{EN DASH}" in lines) == (width == 80)
    assert lines.count("reset") == 1


def test_keys_of_options_are_typed_plainly(sweep: SweepRunner) -> None:
    """It was refused with "write ++model.reset", which was refused too."""
    words = [*SEARCH, "model=lstm,gru", "sweep.dry_run=true"]
    output = sweep(*words, "model.reset=after,before", "model.peepholes=true")
    assert "  model.reset=after,before: trials of model=gru only" in output
    assert "  model.peepholes=true: trials of model=lstm only" in output


@pytest.mark.slow
@pytest.mark.parametrize(("words", "says"), [
    (["model.rest=after"], "has model.rest; did you mean model.reset?"),
    (["model=lstm,rnn", "model.reset=after"], "has model.reset; model=gru has it"),
    (["model.leak=1,2"], "no option of model in this search has model.leak"),
    (["model.reset=early,after"], "model.reset must be after, before or none: model.reset=early"),
])  # fmt: skip
def test_a_key_of_no_option_is_refused(sweep: SweepRunner, words: list[str], says: str) -> None:
    output = sweep(*SEARCH, "model=lstm,gru", *words, code=1)
    assert says in output
    assert len(output.splitlines()) == 1


@pytest.mark.slow
def test_a_killed_search_over_keys_of_options_goes_on(sweep: SweepRunner) -> None:
    words = [
        *SEARCH,
        "data=choice(mnist_5k)",
        "data.limit=1200",
        "model=lstm,gru",
        "model.reset=after,before",
        "model.hidden=4,6",
        "hydra.sweeper.n_trials=6",
    ]
    process = sweep.start(*words)
    folder = sweep.sweep("s").path
    wait_until(lambda: len(list(folder.glob("*/result.json"))) >= 2, process)
    process.kill()
    process.communicate()
    assert gone(sweep.folder, 15)
    finished = {p: p.stat().st_mtime_ns for p in folder.glob("*/result.json")}
    assert "6 complete" in sweep(*words)
    assert {p: p.stat().st_mtime_ns for p in finished} == finished
    assert "fixed.model.layers (None, now 2)" in sweep(*words, "model.layers=2", code=1)
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "optuna.journal"))
    storage = optuna.storages.JournalStorage(backend)
    trials: list[Any] = optuna.load_study(study_name="search", storage=storage).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 6
    for trial in trials:
        is_gru = trial.params["model"] == "gru"
        assert ("model.reset" in trial.params) == is_gru
        assert ("model.reset=" in trial.user_attrs["folder"]) == is_gru
