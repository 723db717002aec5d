"""Simulates how often equals are called different, and what `sweep.until=decided` costs.

    python benchmarks/looks.py                 # goes on to 2,000 studies of each kind, and prints
    python benchmarks/looks.py --studies 0     # prints what looks_results.json has
    python benchmarks/looks_figures.py         # draws figures of docs/statistics.md from it

False calls: studies of 1, 4 and 8 arms that equal their baseline, each looked at from 3 to 30
seeds, through `report.build.build`. "one look" has no plan, so each look is a t-test. "planned 10"
has a plan of 10 seeds: a t-test there, e-values elsewhere. "anytime" is `sweep.until=decided`.

Differences are Gaussian, or drawn from `looks_pool.json`: test accuracies of LSTM and the arms of
lstm_gates at 40 seeds each (mnist_5k, 16 units, batch 32, 2 epochs), centred and smoothed by .3 of
their spread. Made by `python -m mnist_seq.train -m ablation=lstm_gates 'seed=range(40)'
data=mnist_5k model.hidden=16 training.batch_size=32 training.epochs=2 tracker=none
hydra/launcher=stack`.

Until decided: studies of 8 arms, by the function that the sweep asks, beside the same studies with
10 and 20 planned seeds, through `build`.

A study's random numbers follow from its number, so results do not depend on how they were reached.
One thing that `build` computes is left out: the p of sign flips, a column beside the verdict, takes
a third of the time at 30 seeds. `--with-flips` computes it, and finds the same.
"""

import argparse
import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np

from mnist_seq.report.build import build
from mnist_seq.report.options import Options
from mnist_seq.report.read.collect import Collected
from mnist_seq.report.read.planned import Mode, PlannedArm, SweepPlan
from mnist_seq.report.read.run import Run
from mnist_seq.report.read.task_record import TaskRecord
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.stats import PermutationTest, paired
from mnist_seq.sweep.until.decide import decide

POOL = Path(__file__).with_name("looks_pool.json")
RESULTS = Path(__file__).with_name("looks_results.json")
FIRST, LAST, CAP, CHUNK = 3, 30, 20, 25
SOURCES, ARMS = ("Gaussian", "real runs"), (1, 4, 8)
MODES = ("anytime", "planned 10", "one look")  # the slow ones last
EFFECTS = {
    "d_z 3, 4, 0, 0, 0, .1, .2, .3": (3, 4, 0, 0, 0, 0.1, 0.2, 0.3),
    "d_z 1, 1.5, and six of 0": (1, 1.5, 0, 0, 0, 0, 0, 0),
    "lstm_gates": (),  # its real runs, not centred
}
POOLED: dict[str, list[float]] = json.loads(POOL.read_text())
TASK = TaskRecord.of({"task": {"guess": {"accuracy": 0.1}}})
Draw = Mapping[str, np.ndarray]  # arm -> test accuracies by seed, in percent; first "lstm"


def main() -> None:
    """Simulate what is missing, keep it, and print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000, help="of each kind")
    parser.add_argument(
        "--only", choices=("until", *MODES), action="append", help="kinds to add to"
    )
    parser.add_argument("--with-flips", action="store_true", help="compute the p of sign flips too")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file that it goes on with")
    options = parser.parse_args()
    jaxtyping.config.update("jaxtyping_disable", True)
    if not options.with_flips:
        paired.sign_flip_test = lambda d, rng_seed=0: PermutationTest(math.nan, True, math.nan)
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        for kind in options.only or ("anytime", "until", "planned 10", "one look"):
            if kind == "until":
                simulate(results, Decided(Path(scratch)), list(EFFECTS), options)
            else:
                cells = [f"{source}, {m} arms, {kind}" for m in ARMS for source in SOURCES]
                simulate(results, Looked(Path(scratch)), cells, options)
    show(results)


def simulate(
    results: dict[str, Any], kind: "Looked | Decided", names: Sequence[str], options: Any
) -> None:
    """Add studies to all cells in turn, and keep them after each turn."""
    while short := [n for n in names if num_studies(results, n) < options.studies]:
        for name in short:
            begun = time.process_time()
            cell = results.setdefault(name, {"studies": 0, "seconds": 0.0})
            for study in range(cell["studies"], min(options.studies, cell["studies"] + CHUNK)):
                kind.add(cell, name, study)
                cell["studies"] += 1
            cell["seconds"] = round(cell["seconds"] + time.process_time() - begun, 1)
        options.results.write_text(json.dumps(results, indent=1) + "\n")


def num_studies(results: Mapping[str, Any], name: str) -> int:
    """Number of studies that a cell has."""
    return int(results.get(name, {}).get("studies", 0))


class Studies:
    """Runs and reports of simulated studies, in folders that hold a plan or none."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch

    def folder(self, num_arms: int, planned: int | None, mode: Mode) -> Path:
        """The folder of a sweep of `num_arms` arms that planned so many seeds; None: no plan."""
        found = self.scratch / f"{num_arms} {planned} {mode}"
        if not found.exists():
            found.mkdir()
            if planned is not None:
                SweepFolder(found).add_plan(plan_of(num_arms, planned, mode).record())
        return found

    def words(self, folder: Path, runs: Sequence[Run], num_seeds: int) -> dict[str, str]:
        """The report's word on each arm, from the first seeds of a study."""
        seen = tuple(run for run in runs if run.seed < num_seeds)
        collected = Collected((folder,), seen, ())
        report = build(collected, Options(), defaults={}, is_table_only=True)
        return {v.settings["arm"]: v.word for v in report.variants if not v.is_baseline}


class Looked(Studies):
    """Null studies that are looked at after each seed."""

    def add(self, cell: dict[str, Any], name: str, study: int) -> None:
        """Count at how many seeds an arm of one study is called first."""
        source, arms, mode = name.split(", ")
        num_arms = int(arms.split()[0])
        place = [SOURCES.index(source), num_arms, study]
        draw = null_study(source, num_arms, np.random.default_rng(place))
        planned = {"anytime": LAST, "planned 10": 10, "one look": None}[mode]
        folder = self.folder(num_arms, planned, "anytime" if mode == "anytime" else "fixed")
        runs = runs_of(folder, draw, LAST)
        first = self._first_call(folder, runs, planned)
        if first is not None:
            called = cell.setdefault("first_called", {})
            called[str(first)] = called.get(str(first), 0) + 1

    def _first_call(self, folder: Path, runs: Sequence[Run], planned: int | None) -> int | None:
        def is_called(n: int) -> bool:
            return any(is_call(word) for word in self.words(folder, runs, n).values())

        # p over all looks never rises: what e-values do not call at the end, they never called
        if planned is not None and not is_called(LAST) and not is_called(planned):
            return None
        return next((n for n in range(FIRST, LAST + 1) if is_called(n)), None)


class Decided(Studies):
    """Studies that end when they are decided, beside those with a planned number of seeds."""

    def add(self, cell: dict[str, Any], name: str, study: int) -> None:
        """Count runs and calls of one study, by rule."""
        draw = study_of(name, np.random.default_rng([list(EFFECTS).index(name), 8, study]))
        arms = [arm for arm in draw if arm != "lstm"]
        equals = [arm for arm, effect in zip(arms, EFFECTS[name], strict=False) if effect == 0]
        differences = {arm: list(draw[arm] - draw["lstm"]) for arm in arms}
        states = decide(differences, plan_of(len(arms), CAP, "anytime"), higher_is_better=True)
        seeds = [state.seeds for state in states.values()]
        words = {arm: str(state.word) for arm, state in states.items()}
        count(cell, "until decided", words, sum(seeds) + max(seeds), equals)
        for n in (10, CAP):
            folder = self.folder(len(arms), n, "fixed")
            words = self.words(folder, runs_of(folder, draw, n), n)
            count(cell, f"planned {n}", words, n * len(draw), equals)


def count(
    cell: dict[str, Any], rule: str, words: Mapping[str, str], num_runs: int, equals: Sequence[str]
) -> None:
    """Add one study's calls and runs to the sums of a rule."""
    sums = cell.setdefault(
        rule, {"runs": 0, "runs_squared": 0, "equal_called": 0, "called": {}, "words": {}}
    )
    called = [arm for arm, word in words.items() if is_call(word)]
    sums["runs"] += num_runs
    sums["runs_squared"] += num_runs**2
    sums["equal_called"] += any(arm in called for arm in equals)
    sums["called"] = dict(Counter(sums["called"]) + Counter(called))
    sums["words"] = dict(Counter(sums["words"]) + Counter(words.values()))


def is_call(word: str) -> bool:
    """Whether a verdict says that an arm differs."""
    return word in ("better", "worse")


def null_study(source: str, num_arms: int, rng: np.random.Generator) -> Draw:
    """Accuracies of arms that equal their baseline in the mean."""
    shared = rng.normal(70, 1, LAST)
    names = [f"arm{i}" for i in range(num_arms)]
    if source == "Gaussian":
        return {name: shared + rng.normal(0, 1, LAST) for name in ("lstm", *names)}
    found = differences_of_pool(rng, num_arms, LAST)
    return {"lstm": shared, **{n: shared + d - m for n, (d, m) in zip(names, found, strict=True)}}


def study_of(name: str, rng: np.random.Generator) -> Draw:
    """Accuracies of a study with effects."""
    shared = rng.normal(70, 1, CAP)
    if effects := EFFECTS[name]:
        noise = rng.normal(0, 0.5**0.5, (len(effects) + 1, CAP))
        rows = shared + noise + np.array([0, *effects])[:, None]
        return dict(zip(["lstm", *(f"arm{i}" for i in range(len(effects)))], rows, strict=True))
    found = differences_of_pool(rng, 8, CAP)
    return {"lstm": shared, **{f"arm{i}": shared + d for i, (d, _) in enumerate(found)}}


def differences_of_pool(
    rng: np.random.Generator, num_arms: int, num_seeds: int
) -> list[tuple[np.ndarray, float]]:
    """Differences to the baseline of seeds drawn with replacement, smoothed; and their mean."""
    pool = {name: np.array(values) for name, values in POOLED.items()}
    places = rng.integers(0, len(pool["baseline"]), num_seeds)
    found = []
    for name in [name for name in pool if name != "baseline"][:num_arms]:
        d = pool[name] - pool["baseline"]
        noise = rng.normal(0, 0.3 * d.std(ddof=1), num_seeds)
        found.append((d[places] + noise, float(d.mean())))
    return found


def plan_of(num_arms: int, planned: int, mode: Mode) -> SweepPlan:
    """The plan of arms that are compared with one LSTM."""
    names = ["lstm", *(f"arm{i}" for i in range(num_arms))]
    arms = {n: PlannedArm(n, "lstm", {s: f"{n}-{s}" for s in range(planned)}) for n in names}
    first = 5 if mode == "anytime" else planned
    return SweepPlan(mode, "test/accuracy", None, first, planned, arms)


def runs_of(folder: Path, draw: Draw, num_seeds: int) -> list[Run]:
    """Finished runs as the report reads them."""
    found = []
    for arm, values in draw.items():
        variant = {"model.name": "lstm", "data.name": "mnist_5k", "training.epochs": 1}
        variant |= {} if arm == "lstm" else {"arm": arm}
        for seed in range(num_seeds):
            accuracy = float(values[seed]) / 100
            run = Run(
                folder=folder / f"{arm}-{seed}",
                seed=seed,
                state="finished",
                reason="",
                values={**variant, "seed": seed, "sweep.name": "s"},
                variant=variant,
                record={
                    "config_hash": f"{arm}-{seed}",
                    "data": {"fingerprint": "f"},
                    "overrides": [],
                },
                task=TASK,
                metrics={"test/accuracy": accuracy, "valid/accuracy": accuracy},
                num_params=1.0,
                seconds=1.0,
            )
            run.__dict__.update(history=[], predictions=None)  # there are no files to read
            found.append(run)
    return found


def show(results: Mapping[str, Any]) -> None:
    """Print all tables."""
    print(f"null studies with a false call, looks at each n from {FIRST} to {LAST}, alpha .05")
    for source in SOURCES:
        for num_arms in ARMS:
            names = {mode: f"{source}, {num_arms} arms, {mode}" for mode in MODES}
            rates = [f"{mode} {rate(results.get(name, {}))}" for mode, name in names.items()]
            print(f"{source}, {num_arms} arms: {'; '.join(rates)}")
    for name in filter(results.__contains__, EFFECTS):
        cell = results[name]
        print(f"\n{name}: {cell['studies']:,} studies of 8 arms, cap {CAP}")
        for rule in ("until decided", "planned 10", f"planned {CAP}"):
            print(f"  {rule}: {row(cell[rule], cell['studies'])}")


def rate(cell: Mapping[str, Any]) -> str:
    """Share of studies with a call, its standard error, and the number of studies."""
    if not (n := cell.get("studies", 0)):
        return "not run"
    share = sum(cell.get("first_called", {}).values()) / n
    return f"{share:.4f} +- {math.sqrt(share * (1 - share) / n):.4f} (n={n:,})"


def row(sums: Mapping[str, Any], n: int) -> str:
    """Runs, power and false calls of a rule."""
    runs = sums["runs"] / n
    sd = math.sqrt(max(0.0, sums["runs_squared"] / n - runs**2))
    called = ", ".join(f"{arm} {num / n:.3f}" for arm, num in sorted(sums["called"].items()))
    words = ", ".join(f"{word} {num / n:.2f}" for word, num in sorted(sums["words"].items()))
    return (
        f"{runs:.1f} runs (sd {sd:.1f}); called: {called}; any equal called "
        f"{sums['equal_called'] / n:.4f}; arms by word: {words}"
    )


if __name__ == "__main__":
    main()
