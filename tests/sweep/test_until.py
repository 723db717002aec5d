"""`sweep.until=decided`: seeds where a verdict is open, the same end however it is interrupted."""

import json
import math
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mnist_seq.config import ConfigError
from mnist_seq.config.schema import Sweep
from mnist_seq.report.build import build
from mnist_seq.report.options import Options
from mnist_seq.report.read.collect import collect
from mnist_seq.report.read.planned import PlannedArm, SweepPlan
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.plan.arms import Study
from mnist_seq.sweep.until.asked import check_decidable, with_seeds
from mnist_seq.sweep.until.decide import Lost, State, decide
from mnist_seq.sweep.until.seeds import Seeds
from tests.report.sweeps import DEFAULTS, write_run
from tests.sweep.conftest import SMALL, SweepRunner, changes, wait_until

CAP = 20


def plan_of(*names: str, **changed: Any) -> SweepPlan:
    arms = {n: PlannedArm(n, "lstm", {s: f"{n}{s}" for s in range(CAP)}) for n in names}
    asked = {"mode": "anytime", "metric": "test/accuracy", "margin": None, "first_seeds": 5,
             "max_seeds": CAP, "arms": arms, **changed}  # fmt: skip
    return SweepPlan(**asked)


def noise(mean: float, seed: int, n: int = CAP) -> list[float]:
    return list(np.random.default_rng(seed).normal(mean, 1.0, n))


def words(states: Mapping[str, State]) -> dict[str, str]:
    return {arm: state.word for arm, state in states.items()}


def test_arms_end_by_what_their_differences_show() -> None:
    """Each way to end, and the number of seeds that it took."""
    arms: dict[str, Sequence[float | None]] = {
        "high": noise(4.0, 1),
        "low": noise(-4.0, 2),
        "null": noise(0.0, 3),
        "lost": [None] * CAP,
    }
    states = decide(arms, plan_of(*arms), higher_is_better=True)
    assert words(states) == {
        "high": "better", "low": "worse", "null": "out of reach", "lost": "at the cap"
    }  # fmt: skip
    assert 5 <= states["high"].seeds <= 9
    assert states["null"].chance < 0.05
    assert states["null"].seeds < CAP
    assert words(decide(arms, plan_of(*arms), higher_is_better=False))["high"] == "worse"
    small = decide({"null": noise(0.0, 3)}, plan_of("null", margin=1.5), higher_is_better=True)
    assert small["null"].word == "equivalent"
    few = {"high": noise(4.0, 1)[:4]}
    assert decide(few, plan_of("high"), higher_is_better=True)["high"] == State("open", 4)


@pytest.mark.parametrize("seed", range(3))
def test_the_end_does_not_depend_on_the_order_in_which_runs_end(seed: int) -> None:
    """A study that was killed, or had a slow worker, finds what an undisturbed one finds."""
    names = "abcd"
    means = dict(zip(names, (0.0, 1.0, 3.0, 0.0), strict=True))
    full = {a: noise(mean, 10 * seed + ord(a)) for a, mean in means.items()}
    plan, rng = plan_of(*names), np.random.default_rng(seed)
    expected = words(decide(full, plan, higher_is_better=True))
    have = dict.fromkeys(names, 0)
    while True:
        known = {a: full[a][: have[a]] for a in names}
        states = decide(known, plan, higher_is_better=True)
        still = [a for a, s in states.items() if s.is_open]
        if not still:
            break
        have[str(rng.choice(still))] += 1
    assert words(states) == expected
    assert sum(have.values()) < 4 * CAP


def test_a_part_of_a_family_is_decided_as_the_family_is() -> None:
    """The same arm asked for by itself ended earlier, and its report, over all arms, was open."""
    d = {"high": noise(2.0, 1)}
    alone = decide(d, plan_of("high"), higher_is_better=True)["high"]
    part = decide(d, plan_of("high", num_others=7), higher_is_better=True)["high"]
    whole = {**d, **dict.fromkeys("abcdefg", [None] * CAP)}
    among = decide(whole, plan_of(*whole), higher_is_better=True)["high"]
    assert part == among
    assert alone.seeds < part.seeds


def test_two_big_effects_among_eight_take_less_than_half_of_the_runs() -> None:
    """What it is for: 180 runs at 20 seeds each; 61 in a simulation of 400 such studies."""
    deltas = dict(zip("abcdefgh", (3, 4, 0, 0, 0, 0.1, 0.2, 0.3), strict=True))
    used = []
    for study in range(4):
        rng = np.random.default_rng(study)
        full = {a: list(rng.normal(m, 1, CAP)) for a, m in deltas.items()}
        states = decide(full, plan_of(*deltas), higher_is_better=True)
        assert words(states)["a"] == words(states)["b"] == "better"
        seeds = [state.seeds for state in states.values()]
        used.append(sum(seeds) + max(seeds))
    assert np.mean(used) < 90


def test_what_cannot_be_decided_is_refused_before_anything_runs() -> None:
    """Each in one line that says the way out."""
    options = Sweep.model_construct(zip=[], exclude=[], first_seeds=5, max_seeds=20)
    assert with_seeds(["model=gru"], None, options) == ["model=gru", "seed=range(20)"]
    study = Study(("training.epochs=1",), {"baseline": (), "seeded": ("seed=3",)})
    refused: list[tuple[Any, ...]] = [
        (["seed=0,1"], None, options),
        (["+seed=3"], None, options),
        ([], study, options),
        ([], None, options.model_copy(update={"zip": ["seed", "model"]})),
        ([], None, options.model_copy(update={"exclude": ["model=gru,seed=1"]})),
        ([], None, options.model_copy(update={"max_seeds": 4})),
    ]
    for words_, study_, asked in refused:
        with pytest.raises(ConfigError, match="seed"):
            with_seeds(words_, study_, asked)
    alone = {"gru": PlannedArm("gru", "", {0: "a"})}
    only = {"lstm": PlannedArm("lstm", "lstm", {0: "a"})}
    for plan, text in (
        (plan_of(arms=alone), "there is none for gru"),
        (plan_of(arms=only), "there is only lstm"),
        (plan_of(*"abcdefgh", max_seeds=5), "before 6 seeds: sweep.max_seeds=5"),
    ):
        with pytest.raises(ConfigError, match=text):
            check_decidable(plan)


def test_an_arm_does_not_end_by_a_verdict_that_its_report_withholds() -> None:
    """Better among the runs that trained says nothing while the others diverge."""
    good, bad = noise(4.0, 1), Lost(-85.0)
    cases: dict[str, tuple[Sequence[float | Lost | None], bool]] = {
        "variant": ([*good[:4], bad, *good[4:7], bad], False),
        "baseline": ([*good[:4], Lost(85.0), *good[4:7]], True),  # further apart with a guess
        "both": ([*good[:4], Lost(0.0), *good[4:12]], True),
        "unknown": ([*good[:8], Lost(math.nan)], False),
        "no pair": ([*good[:8], Lost(None), None], True),
    }
    for name, (d, is_called) in cases.items():
        state = decide({"a": d}, plan_of("a"), higher_is_better=True)["a"]
        assert (state.word == "better") == is_called, name
        assert state.is_withheld != is_called, name
    assert decide({"a": good[:6]}, plan_of("a"), higher_is_better=True)["a"].word == "better"
    for lost, word in ((1, "open"), (CAP - 6, "at the cap")):  # runs that were still at work then
        state = decide({"a": [*good[:6], *[bad] * lost]}, plan_of("a"), higher_is_better=True)["a"]
        assert state == State(word, 6 + lost, is_withheld=True)  # type: ignore[arg-type]


def on_disk(path: Path, runs: Mapping[tuple[str, int], tuple[str, float]]) -> Seeds:
    """The scheduler of a sweep whose runs have all ended: state and accuracy by cell and seed."""
    arms: dict[str, dict[int, str]] = {}
    planned = []
    for (cell, seed), (state, accuracy) in runs.items():
        name = f"{cell}-{seed}"
        arms.setdefault(cell, {})[seed] = name
        folder = RunFolder(path / name)
        if not folder.path.exists():
            write_run(path, cell, seed=seed, name=name, accuracy=round(accuracy, 4), state=state,
                      num_evaluations=1)  # fmt: skip
        asked = SimpleNamespace(seed=seed)
        planned.append(SimpleNamespace(name=name, folder=folder, action="reuse", config=asked))
    seeds = max(len(names) for names in arms.values())
    recorded = plan_of(
        arms={cell: PlannedArm(cell, "lstm", names) for cell, names in arms.items()},
        max_seeds=max(seeds, 9),
    )
    SweepFolder(path).add_plan(recorded.record())
    plan: Any = SimpleNamespace(folder=SweepFolder(path), runs=planned)
    return Seeds(plan, recorded, console=Console(quiet=True), job=lambda run: run)  # type: ignore[arg-type, return-value]


def test_what_ends_an_arm_is_the_verdict_of_the_report(tmp_path: Path) -> None:
    """Both read the same runs, lost ones too; decisions.jsonl and the report must not differ."""
    seen: set[str] = set()
    for study in (3, 5, 7):
        rng, runs = np.random.default_rng(study), {}
        for cell in ("lstm", "gru", "rnn"):
            gain = 0.0 if cell == "lstm" else float(rng.choice([0.0, 0.02]))
            for seed in range(9):
                state = "diverged" if rng.random() < 0.04 * (study % 4) else "finished"
                runs[cell, seed] = state, 0.9 + gain + float(rng.normal(0, 0.004))
        path = tmp_path / str(study)
        states = on_disk(path, runs).states
        noted = {row["arm"]: row["word"] for row in SweepFolder(path).decisions()}
        assert noted == {arm: s.word for arm, s in states.items() if not s.is_open}
        report = build(collect([path]), Options(), defaults=DEFAULTS, is_table_only=True)
        said = {v.name: v.word for v in report.variants if v.compared}
        for arm, state in states.items():
            is_call = state.word in ("better", "worse")
            assert (state.word == said[arm]) == is_call, (study, arm, state, said)
            seen |= {state.word, said[arm], *(["ends withheld"] * state.is_withheld)}
    assert {"better", "withheld", "ends withheld", "out of reach"} <= seen


def test_an_arm_is_open_again_when_its_last_runs_are_lost(tmp_path: Path) -> None:
    """They were still at work when it ended; decisions.jsonl must not keep what is withheld."""
    noise_ = np.random.default_rng(0).normal(0, 0.004, (2, 12))
    runs = {
        (cell, seed): ("finished", 0.9 + 0.02 * place + float(noise_[place, seed]))
        for place, cell in enumerate(("lstm", "gru"))
        for seed in range(7)
    }
    runs["lstm", 0] = "diverged", 0.9
    assert on_disk(tmp_path, runs).states["gru"].word == "better"
    runs |= {("lstm", seed): ("finished", 0.9) for seed in (7, 8)}
    runs |= {("gru", seed): ("diverged", 0.9) for seed in (7, 8)}
    for _ in range(2):  # and is noted once
        again = on_disk(tmp_path, {**runs, ("lstm", 9): ("finished", 0.9)})
        assert again.states["gru"] == State("open", 9, is_withheld=True)
        assert again.in_a_line() == "open: gru (9, withheld)"
        assert "withheld: no verdict where runs that diverged" in again.why(again.states["gru"])
    rows = [(row["word"], row["seeds"]) for row in SweepFolder(tmp_path).decisions()]
    assert rows[1:] == [("open", 9)]
    assert rows[0][0] == "better"


STUDY = [*SMALL, "data.limit=300", "model=lstm,gru,rnn", "model.hidden=4", "sweep.until=decided",
         "sweep.max_seeds=6"]  # fmt: skip


def ends(sweep: SweepRunner, name: str) -> dict[str, tuple[str, int]]:
    """How each arm has ended: its word, and after how many seeds."""
    rows = sweep.sweep(name).decisions()
    return {row["arm"]: (row["word"], row["seeds"]) for row in rows}


def values(folder: Path) -> dict[str, float]:
    found = {}
    for path in sorted(folder.glob("*/result.json")):
        run = path.parent.name
        found[run] = json.loads(path.read_text())["metrics"]["test/accuracy"]
    return found


@pytest.mark.slow
def test_a_study_that_was_killed_ends_as_an_undisturbed_one(sweep: SweepRunner) -> None:
    """kill -9 loses no seed and changes no decision; the same command goes on."""
    output = sweep(*STUDY, "sweep.name=whole")
    assert "sweep.until=decided: 5 seeds of every variant" in output
    assert "at most 18 runs: 18 new" in output
    expected = ends(sweep, "whole")
    assert expected.keys() == {"gru", "rnn"}
    process = sweep.start(*STUDY, "sweep.name=killed")
    folder = sweep.sweep("killed")
    wait_until(lambda: len(changes(folder, "finished")) > 6, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    output = sweep(*STUDY, "sweep.name=killed")
    assert ends(sweep, "killed") == expected
    whole, killed = values(sweep.sweep("whole").path), values(folder.path)
    shared = whole.keys() & killed.keys()
    assert {run: whole[run] for run in shared} == {run: killed[run] for run in shared}
    needed = {f"model={arm},seed={s}" for arm, (_, n) in expected.items() for s in range(n)}
    assert needed <= shared
    again = sweep(*STUDY, "sweep.name=killed")
    assert f"{len(killed)} of {len(killed)} runs done, {len(killed)} of them before" in again
    assert values(folder.path) == killed


@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param(n, marks=pytest.mark.slow)
        for n in ("stack", "basic", "joblib", "submitit_local")
    ],
)
def test_every_launcher_finds_the_same_end(sweep: SweepRunner, launcher: str) -> None:
    """Which runs go side by side must not decide anything."""
    words_ = [w for w in STUDY if not w.startswith("model=")] + ["model=lstm,gru"]
    sweep(*words_, f"hydra/launcher={launcher}", f"sweep.name={launcher}")
    sweep(*words_, "sweep.name=pool")
    assert ends(sweep, launcher) == ends(sweep, "pool")
    assert ends(sweep, "pool").keys() == {"gru"}
