"""Ablation studies: the arms of a study, and that every study of the group can run."""

from collections.abc import Iterator
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from mnist_seq.config import ConfigError, conf_dir
from mnist_seq.config.paths import options
from mnist_seq.sweep.plan.arms import Study, study_of
from mnist_seq.sweep.plan.expand import Grid, without
from mnist_seq.training.preflight.count import num_params
from mnist_seq.training.preflight.match import with_hidden_solved
from tests.conftest import Command, config_of, some

STUDIES = options("ablation")


@pytest.fixture(scope="module")
def composed() -> Iterator[Any]:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield lambda *words: compose("train", list(words))


def grid(*jobs: tuple[str, ...], swept: tuple[str, ...] = ()) -> Grid:
    return Grid(list(jobs), list(swept))


def made(composed: Any, *words: str) -> Study:
    study, left = study_of(composed(*words), words)
    assert study is not None
    assert left == []
    return study


@pytest.mark.parametrize("design", ["one_at_a_time", "leave_one_out"])
@pytest.mark.parametrize("name", some(STUDIES, 4))
def test_every_arm_of_every_study_is_a_run_of_its_own(
    composed: Any, name: str, design: str
) -> None:
    """A YAML is tested the moment it exists: composed, parsed, sized, and no two arms alike."""
    try:
        study = made(composed, f"ablation={name}", f"ablation.design={design}")
    except ConfigError as error:
        if design != "leave_one_out" or "both set" not in str(error):
            raise
        return  # arms that are alternatives have no full set
    if design == "leave_one_out" and name in ("lstm_gates", "memory"):
        return  # all gates away at once is no LSTM
    jobs = study.over(grid(())).jobs
    assert len(jobs) == len(study.arms) >= 5
    configs = []
    for job in jobs:
        config = with_hidden_solved(config_of(*job))
        assert num_params(config) > 0
        configs.append(config.model_copy(update={"arm": ""}))
    assert all(a != b for k, a in enumerate(configs) for b in configs[:k])


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_opens_with_its_command_and_its_question(name: str) -> None:
    """Who opens the file learns how to run it, and why."""
    first, *rest = (conf_dir() / "ablation" / f"{name}.yaml").read_text().splitlines()
    assert first.startswith(f"# python -m mnist_seq.train -m ablation={name} ")
    question = " ".join(line for line in rest if line.startswith("#"))
    assert "?" in question


def test_arms_times_a_grid_is_a_sum_times_a_product(composed: Any) -> None:
    """Baseline and k arms, each with each point of the grid."""
    study = Study(("a=1",), {"baseline": (), "x": ("b=2",), "y": ("c=3",)})
    found = study.over(grid(("seed=0",), ("seed=1",), swept=("seed",)))
    assert found.swept == ["arm", "seed"]
    assert found.jobs == [
        ("arm=baseline", "a=1", "seed=0"),
        ("arm=x", "a=1", "seed=0", "b=2"),
        ("arm=y", "a=1", "seed=0", "c=3"),
        ("arm=baseline", "a=1", "seed=1"),
        ("arm=x", "a=1", "seed=1", "b=2"),
        ("arm=y", "a=1", "seed=1", "c=3"),
    ]


def test_a_run_of_an_arm_is_excluded_by_the_name_of_its_folder() -> None:
    """`arm=x,seed=1` is what the plan shows; what the arm itself sets fits too."""
    study = Study((), {"baseline": (), "x": ("b=2",)})
    whole = study.over(grid(("seed=0",), ("seed=1",), swept=("seed",)))
    assert len(without(whole, ["arm=x,seed=1"]).jobs) == 3
    assert all("arm=x" not in job for job in without(whole, ["b=2"]).jobs)


def test_the_command_stands_above_the_base_and_an_arm_above_the_command() -> None:
    """`model.match=lstm-128` changes a study's budget; what an arm is about stays the arm's."""
    study = Study(("match=64", "lr=1"), {"baseline": (), "x": ("model=gru",)})
    jobs = study.over(grid(("match=128", "model=lstm"))).jobs
    assert jobs[0] == ("arm=baseline", "match=128", "lr=1", "model=lstm")
    assert jobs[1] == ("arm=x", "match=128", "lr=1", "model=gru")


def test_a_grid_over_what_an_arm_sets_is_refused() -> None:
    """The arm would win, and the grid's axis mean nothing."""
    study = Study((), {"baseline": (), "wide": ("model.hidden=128",)})
    with pytest.raises(ConfigError, match=r"arm wide sets model\.hidden"):
        study.over(grid(("model.hidden=32",), swept=("model.hidden",)))


def test_leave_one_out_starts_from_the_full_set(composed: Any) -> None:
    """k + 1 runs again: all, and all but each."""
    study = made(composed, "ablation=regularisers", "ablation.design=leave_one_out")
    assert len(study.arms) == 8
    assert len(study.arms["baseline"]) == 8  # zoneout has two keys
    assert "model.dropout=0.2" in study.arms["without_gal"]
    assert not any("gal" in word for word in study.arms["without_gal"])


def test_chosen_pairs_run_together(composed: Any) -> None:
    """Two arms at once, where an interaction is plausible; all others stay alone."""
    study = made(composed, "ablation=lstm_gates", "ablation.pairs=[[CIFG,peepholes]]")
    assert study.arms["CIFG+peepholes"] == ("model.cifg=true", "model.peepholes=true")
    assert len(study.arms) == 10


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ablation=optimizers", "ablation.pairs=[[SGD,Adam]]"], "must name arms: Adam"),
        (["ablation=optimizers", "ablation.pairs=[[SGD,AdamW]]"], "both set optimizer"),
        (["ablation=optimizers", "ablation.pairs=[[SGD]]"], "a list of 2 entries or more"),
        (["ablation=optimizers", "ablation.design=random"], "one_at_a_time"),
        (["ablation=optimizers", "+ablation.arms.baseline=['seed=1']"], "is taken"),
        (["ablation=optimizers", "arm=SGD"], "a study names its arms itself: arm=SGD"),
    ],
)
def test_an_impossible_study_is_refused(composed: Any, words: list[str], says: str) -> None:
    """In one line, before anything runs."""
    with pytest.raises(ConfigError) as caught:
        study_of(composed(*words), words)
    assert says in str(caught.value)


def test_two_arms_of_one_config_are_announced() -> None:
    """One run stands for both; the reader must know which."""
    study = Study((), {"baseline": (), "same": ("seed=0",)})
    assert study.twins([("arm=baseline",)]) == [
        "arm same is the same config as an arm before it; one run stands for both"
    ]


@pytest.mark.slow
def test_a_study_runs_from_one_line(train: Command) -> None:
    """Arms by name in plan, folders and end; the same command again does nothing."""
    words = [
        "-m", "ablation=lstm_gates", "sweep.name=gates", "data=mnist_5k", "tracker=none",
        "model.hidden=4", "data.limit=200", "hydra.launcher.workers=2", "training.batch_size=200",
    ]  # fmt: skip
    out = train(*words).stdout
    assert "NIAF" in out
    assert "9 runs: 9 new" in out
    again = train(*words).stdout
    assert "9 already done" in again
