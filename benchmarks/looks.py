"""Simulates how often equals are called different, and what `sweep.until=decided` costs.

    python benchmarks/looks.py                 # about 10 minutes
    python benchmarks/looks.py --studies 2000  # as many as a paper would want

False calls: studies of 1, 4 and 8 arms that equal their baseline, each looked at from 3 to 30
seeds, through `report.build.build`: once without a plan, where each look is a t-test, and once with
one, where the looks are e-values. Differences are Gaussian, or drawn from `looks_pool.json`: test
accuracies of LSTM and the arms of lstm_gates at 40 seeds each (mnist_5k, 16 units, batch 32, 2
epochs), centred and smoothed by .3 of their spread. Made by `python -m mnist_seq.train -m
ablation=lstm_gates 'seed=range(40)' data=mnist_5k model.hidden=16 training.batch_size=32
training.epochs=2 tracker=none hydra/launcher=stack`.

Until decided: studies of 8 arms, by the function that the sweep asks.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jaxtyping
import numpy as np

from mnist_seq.report.build import build
from mnist_seq.report.options import Options
from mnist_seq.report.read.collect import Collected
from mnist_seq.report.read.planned import PlannedArm, SweepPlan
from mnist_seq.report.read.run import Run
from mnist_seq.report.read.task_record import TaskRecord
from mnist_seq.report.value import Report
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.stats import Rule, judge, paired_comparison
from mnist_seq.sweep.until.decide import decide

POOL = Path(__file__).with_name("looks_pool.json")
FIRST, LAST, CAP = 3, 30, 20
TASK = TaskRecord.of({})
Draw = Mapping[
    str, np.ndarray
]  # arm, or "lstm" for the baseline -> test accuracies by seed, in percent


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=200, help="of each row by e-values")
    parser.add_argument("--t-studies", type=int, default=40, help="of each row by t-tests")
    options = parser.parse_args()
    jaxtyping.config.update("jaxtyping_disable", True)
    print(f"false calls, looks at each n from {FIRST} to {LAST}, through report.build")
    print(f"{'':24} {'t, each look':>16} {'e-values':>16}  (rate and its standard error)")
    for source in ("Gaussian", "real runs, centred"):
        for num_arms in (1, 4, 8):
            before = rate(source, num_arms, options.t_studies, is_planned=False)
            after = rate(source, num_arms, options.studies, is_planned=True)
            name = f"{source}, {num_arms} arms"
            print(f"{name:24} {before:>16} {after:>16}", flush=True)
    print(
        f"\nstudies of 8 arms, cap {CAP}, {options.studies} each: power of the two big arms, runs"
    )
    for deltas in ((3, 4, 0, 0, 0, 0.1, 0.2, 0.3), (1, 1.5, 0, 0, 0, 0, 0, 0)):
        print(f"d_z {deltas}", flush=True)
        for name, row in decided(deltas, options.studies):
            print(f"  {name:24} {row}", flush=True)


def rate(source: str, num_arms: int, num_studies: int, *, is_planned: bool) -> str:
    """Share of null studies in which an arm is called at any look, with its standard error."""
    rng = np.random.default_rng([num_arms, len(source)])
    called = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if is_planned:
            write_plan(folder, num_arms)
        for _ in range(num_studies):
            draw = null_study(source, num_arms, rng)
            # p over all looks never rises, so the last look has the calls of all of them
            looks = [LAST] if is_planned else range(FIRST, LAST + 1)
            called += any(is_called(report_of(folder, draw, n)) for n in looks)
    share = called / num_studies
    return f"{share:.3f} +- {(share * (1 - share) / num_studies) ** 0.5:.3f}"


def is_called(report: Report) -> bool:
    """Whether any arm is better or worse."""
    return any(v.word in ("better", "worse") for v in report.variants)


def null_study(source: str, num_arms: int, rng: np.random.Generator) -> Draw:
    """Accuracies of arms that equal their baseline in the mean."""
    shared = rng.normal(70, 1, LAST)
    if source == "Gaussian":
        baseline = shared + rng.normal(0, 1, LAST)
        arms = {f"arm{i}": shared + rng.normal(0, 1, LAST) for i in range(num_arms)}
        return {"lstm": baseline, **arms}
    pool = {name: np.array(values) for name, values in json.loads(POOL.read_text()).items()}
    names = [name for name in pool if name != "baseline"][:num_arms]
    places = rng.integers(0, len(pool["baseline"]), LAST)
    found: dict[str, np.ndarray] = {"lstm": shared}
    for name in names:
        d = pool[name] - pool["baseline"]
        noise = rng.normal(0, 0.3 * d.std(ddof=1), LAST)
        found[name] = shared + (d - d.mean())[places] + noise
    return found


def write_plan(folder: Path, num_arms: int) -> None:
    """A plan that allows any number of looks."""
    names = ["lstm", *(f"arm{i}" for i in range(num_arms))]
    arms = {n: PlannedArm(n, "lstm", {s: f"{n}-{s}" for s in range(LAST)}) for n in names}
    plan = SweepPlan("anytime", "test/accuracy", None, FIRST, LAST, arms)
    SweepFolder(folder).add_plan(plan.record())


def report_of(folder: Path, draw: Draw, num_seeds: int) -> Report:
    """The report of the first seeds of a study."""
    runs = [
        run_of(folder, "lstm" if name == "lstm" else f"arm{i - 1}", seed, float(values[seed]))
        for i, (name, values) in enumerate(draw.items())
        for seed in range(num_seeds)
    ]
    collected = Collected((folder,), tuple(runs), ())
    return build(collected, Options(), defaults={}, is_table_only=True)


def run_of(folder: Path, arm: str, seed: int, accuracy: float) -> Run:
    """A finished run as the report reads it."""
    variant = {"model.name": "lstm", "data.name": "mnist_5k", "training.epochs": 1}
    variant |= {} if arm == "lstm" else {"arm": arm}
    found = Run(
        folder=folder / f"{arm}-{seed}",
        seed=seed,
        state="finished",
        reason="",
        values={**variant, "seed": seed, "sweep.name": "s"},
        variant=variant,
        record={"config_hash": f"{arm}-{seed}", "data": {"fingerprint": "f"}, "overrides": []},
        task=TASK,
        metrics={"test/accuracy": accuracy / 100, "valid/accuracy": accuracy / 100},
        num_params=1.0,
        seconds=1.0,
    )
    found.__dict__["history"] = []  # there is no file to read
    return found


def decided(deltas: Sequence[float], num_studies: int) -> Iterator[tuple[str, str]]:
    """Power of the first two arms, and mean number of runs, by rule."""
    names = [f"arm{i}" for i in range(len(deltas))]
    arms = {n: PlannedArm(n, "lstm", {}) for n in names}
    plan = SweepPlan("anytime", "test/accuracy", None, 5, CAP, arms)
    rng = np.random.default_rng(0)
    rows: dict[str, list[tuple[float, ...]]] = {}
    for _ in range(num_studies):
        baseline = rng.normal(0, 0.5**0.5, CAP)
        full = {
            name: rng.normal(delta, 0.5**0.5, CAP) - baseline
            for name, delta in zip(names, deltas, strict=True)
        }
        states = decide({n: list(d) for n, d in full.items()}, plan, higher_is_better=True)
        seeds = [state.seeds for state in states.values()]
        words = {name: str(state.word) for name, state in states.items()}
        rows.setdefault("until decided", []).append(scored(words, deltas, sum(seeds) + max(seeds)))
        for n in (10, CAP):
            pairs = [paired_comparison(d[:n], np.zeros(n)) for d in full.values()]
            words = dict(zip(names, (str(v.word) for v in judge(pairs, Rule())), strict=True))
            row = scored(words, deltas, n * (len(names) + 1))
            rows.setdefault(f"t + Holm, n={n}", []).append(row)
    for name, found in rows.items():
        first, second, false_rate, runs = np.mean(np.array(found, dtype=float), axis=0)
        text = f"power {first:.2f} and {second:.2f}, false calls {false_rate:.3f}, {runs:.0f} runs"
        yield name, text


def scored(words: Mapping[str, str], deltas: Sequence[float], runs: int) -> tuple[float, ...]:
    """Whether each of the first two arms is better, whether any equal is called, and the runs."""
    called = [word in ("better", "worse") for word in words.values()]
    is_false = any(call for call, delta in zip(called, deltas, strict=True) if delta == 0)
    first, second, *_ = (word == "better" for word in words.values())
    return first, second, is_false, runs


if __name__ == "__main__":
    begun = time.monotonic()
    main()
    print(f"\n{time.monotonic() - begun:.0f} s")
