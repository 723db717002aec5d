"""How many values of the tuned keys were tried, and for which variants fewer than for others."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_seq.report import wording
from mnist_seq.report.analyse.grouping import sortable
from mnist_seq.report.analyse.searches import was_tried
from mnist_seq.report.read.run import Run
from mnist_seq.runs.variants import Flat, distinct, naming_keys, title, varying

TUNED_GROUPS = ("optimizer", "schedule", "training")  # what is tuned where nobody says what is


def unequal_budgets(
    runs: Sequence[Run], over: frozenset[str], samplers: Mapping[Path, str]
) -> tuple[str, ...]:
    """Tuned keys of which unequal numbers of values were tried, with the variants and counts.

    Tuned are the keys of `over`, and of the optimizer, its schedule and the training those that
    differ; a value counts where a run of it ended, or was stopped by its search.
    """
    tried_runs = [run for run in runs if was_tried(run, samplers[run.folder])]
    variants = distinct(run.variant for run in tried_runs)
    if not variants:
        return ()
    tuned = {key for key in naming_keys(variants) if _is_tuned(key)} | over
    subjects = [parted(variant, tuned)[0] for variant in variants]
    names = naming_keys(subjects)
    found = []
    for key in sorted(tuned & set(varying(variants))):
        values: dict[str, set[Any]] = {}
        for variant, subject in zip(variants, subjects, strict=True):
            if key in variant:
                values.setdefault(title(subject, names), set()).add(variant[key])
        by_count: dict[int, list[str]] = {}
        for name, tried in values.items():
            by_count.setdefault(len(tried), []).append(name)
        if len(by_count) > 1:
            counts = sorted(by_count, reverse=True)
            parts = [f"{n} ({wording.listed(by_count[n])})" for n in counts]
            found.append(f"unequal tuning budgets, values of {key} tried: {', '.join(parts)}")
    return tuple(found)


def values_tried(runs: Sequence[Run], keys: frozenset[str]) -> dict[str, tuple[Any, ...]]:
    """Values of each tuned key that any run has, in their order."""
    found = {key: {run.variant[key] for run in runs if key in run.variant} for key in sorted(keys)}
    return {key: tuple(sorted(tried, key=sortable)) for key, tried in found.items()}


def parted(variant: Flat, keys: frozenset[str] | set[str]) -> tuple[Flat, Flat]:
    """A variant without some keys, and these keys."""
    rest = {key: value for key, value in variant.items() if key not in keys}
    return rest, {key: value for key, value in variant.items() if key in keys}


def _is_tuned(key: str) -> bool:
    group, _, last = key.partition(".")
    return group in TUNED_GROUPS and last != "name"
