"""Searches among the runs: what was searched for, and the trials of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_seq.report import wording
from mnist_seq.report.analyse.guess import Guess
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.read.run import Run
from mnist_seq.report.texts.words import described
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.variants import ARM, Flat, distinct, naming_keys, variant_key

GRID = "grid"


@dataclass(frozen=True)
class Trial:
    """One combination of values, and the mean over its seeds of what it reached on validation.

    Attributes:
        value: in the unit that people read.
        is_diverged, is_stopped: some seed of it counts as a guess, or with its last evaluation.
    """

    variant: Flat
    value: float
    is_diverged: bool
    is_stopped: bool


@dataclass(frozen=True)
class Subject:
    """What was searched for: a cell, an arm, a variant without its tuned values."""

    name: str
    cell: str
    sampler: str
    trials: tuple[Trial, ...]
    num_left_out: int


def samplers_of(runs: Sequence[Run]) -> dict[Path, str]:
    """What drew each run's values, by its folder: "random" or "tpe" in a search, else "grid"."""
    folders = {run.folder.parent for run in runs}
    found = {folder: SweepFolder(folder).sampler() or GRID for folder in folders}
    return {run.folder: found[run.folder.parent] for run in runs}


def was_tried(run: Run, sampler: str) -> bool:
    """Whether a run's values count as tried: it ended, or its search stopped it for what it had."""
    is_stopped = sampler != GRID and run.state == "interrupted" and bool(run.history)
    return run.state in ("finished", "diverged") or is_stopped


def subjects_of(
    runs: Sequence[Run],
    selector: Metric,
    tuned: frozenset[str],
    samplers: Mapping[Path, str],
    *,
    guess: Guess,
    is_any: bool = False,
) -> list[Subject]:
    """The searches that runs belong to: those of an Optuna sweep, and those over tuned keys.

    Args:
        tuned: keys that were tuned; empty where nobody said.
        samplers: of `samplers_of`.
        is_any: every sweep counts as a search of its cells.
    """
    searched = [run for run in runs if is_any or tuned or samplers[run.folder] != GRID]
    if not searched:
        return []
    choices = {
        key
        for key in naming_keys(distinct(run.variant for run in searched))
        if key == ARM or key.endswith(".name")
    }
    by_subject: dict[tuple[object, ...], list[Run]] = {}
    flats: dict[tuple[object, ...], Flat] = {}
    for run in searched:
        kept = {k: v for k, v in run.variant.items() if (k not in tuned if tuned else k in choices)}
        key = variant_key(kept)
        by_subject.setdefault(key, []).append(run)
        flats[key] = {"model.name": run.variant["model.name"], **kept}
    names = naming_keys(list(flats.values()))
    return [
        _subject(described(flats[key], names), members, samplers, selector, guess)
        for key, members in by_subject.items()
    ]


def unequal_searches(subjects: Sequence[Subject]) -> tuple[str, ...]:
    """A warning where searches had unequal numbers of trials."""
    counts = {subject.name: len(subject.trials) for subject in subjects}
    if len(set(counts.values())) < 2:
        return ()
    parts = [f"{n} ({name})" for name, n in sorted(counts.items(), key=lambda item: -item[1])]
    return (f"unequal tuning budgets, trials of the searches: {wording.listed(parts)}",)


def _subject(
    name: str, runs: Sequence[Run], samplers: Mapping[Path, str], selector: Metric, guess: Guess
) -> Subject:
    by_variant: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        by_variant.setdefault(variant_key(run.variant), []).append(run)
    trials = [_trial(members, selector, guess) for members in by_variant.values()]
    found = [trial for trial in trials if trial is not None]
    return Subject(
        name=name,
        cell=str(runs[0].variant["model.name"]),
        sampler=" + ".join(dict.fromkeys(samplers[run.folder] for run in runs)),
        trials=tuple(found),
        num_left_out=len(trials) - len(found),
    )


def _trial(runs: Sequence[Run], selector: Metric, guess: Guess) -> Trial | None:
    """None where no run of it was ever evaluated."""
    values = []
    states = {run.state for run in runs}
    for run in runs:
        value = selector.of(run)
        if run.state == "diverged":
            value = guess.of(selector)
        elif run.state == "interrupted" and (seen := run.evaluations(selector.name)):
            value = seen[max(seen)] * selector.scale  # pruned: it would have gone on from here
        if value is not None:
            values.append(value)
    if not values:
        return None
    return Trial(
        variant=runs[0].variant,
        value=float(np.mean(values)),
        is_diverged="diverged" in states,
        is_stopped="interrupted" in states,
    )
