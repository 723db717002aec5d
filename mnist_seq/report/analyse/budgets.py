"""What the variants were given and what they cost: values tried, updates, seconds."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_seq.report import wording
from mnist_seq.report.analyse.grouping import Group, sortable
from mnist_seq.report.analyse.searches import was_tried
from mnist_seq.report.read.run import Run
from mnist_seq.report.texts.words import cell, described
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import Flat, distinct, naming_keys, varying

_COMPILED = {"native": "By a compiled step", "native layers": "By compiled layers"}
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
                values.setdefault(described(subject, names), set()).add(variant[key])
        by_count: dict[int, list[str]] = {}
        for name, tried in values.items():
            by_count.setdefault(len(tried), []).append(name)
        if len(by_count) > 1:
            counts = sorted(by_count, reverse=True)
            parts = [f"{n} ({wording.listed(by_count[n])})" for n in counts]
            found.append(f"unequal tuning budgets, values of {key} tried: {', '.join(parts)}")
    return tuple(found)


def unequal_updates(groups: Sequence[Group], labels: Sequence[str]) -> tuple[str, ...]:
    """A warning where a variant had other updates, or another batch size, than its baseline.

    Runs that early stopping ended do not count: the rule is the same, and the number an outcome.
    """
    budgets = [_budget(group) for group in groups]
    pairs = [(g.baseline, place) for place, g in enumerate(groups) if g.baseline is not None]
    if all(None in (budgets[a], budgets[b]) or budgets[a] == budgets[b] for a, b in pairs):
        return ()
    names: dict[tuple[float, float], list[str]] = {}
    for label, budget in zip(labels, budgets, strict=True):
        if budget is not None:
            names.setdefault(budget, []).append(label)
    parts = [
        f"{updates:,.0f} of {batch:,.0f} examples ({wording.listed(own)})"
        for (updates, batch), own in sorted(names.items(), reverse=True)
    ]
    return (f"unequal training budgets, updates a run: {', '.join(parts)}",)


def _budget(group: Group) -> tuple[float, float] | None:
    """(updates, batch size) of a variant's runs; None where early stopping ended all of them."""
    found = [
        (run.updates, float(batch))
        for run in group.finished
        if not run.is_stopped_early and math.isfinite(run.updates)
        for batch in [run.values.get("training.batch_size")]
        if isinstance(batch, int)
    ]
    return max(found, default=None)


def why_seconds_differ(groups: Sequence[Group]) -> str:
    """Why seconds of these variants do not compare; "" where they do.

    They do where all runs trained on one kind of hardware, in stacks of one size, and with equally
    many at once, as run.json says. Runs from before that record are unknown.
    """
    runs = [run for group in groups for run in group.finished]
    if len(groups) < 2 or not runs:
        return ""
    if len(places := {place_of(run) for run in runs}) > 1:
        return f"the runs come from {len(places)} kinds of hardware"
    known = [number for run in runs if (number := _at_once(run)) is not None]
    if unknown := len(runs) - len(known):
        of = f"{unknown} of {plural(len(runs), 'run')}"
        return f"how many runs trained side by side is not known of {of}"
    if len(set(known)) > 1:
        return f"runs trained {' and '.join(map(str, sorted(set(known))))} at once"
    sizes = [run.record.get("stack", 1) for run in runs]
    if len(stacks := {size for size in sizes if isinstance(size, int)}) > 1:
        return f"runs trained in stacks of {' and '.join(map(str, sorted(stacks)))}"
    return ""


def beside(group: Group) -> str:
    """What trained beside a variant's runs, for seconds that stand by themselves: "2 at once"."""
    runs = group.finished
    counts = sorted({number for run in runs if (number := _at_once(run)) is not None})
    parts = [f"{' or '.join(map(str, counts))} at once"] if counts else []
    if any(_at_once(run) is None for run in runs):
        parts.append("unknown")
    sizes = {size for run in runs if isinstance(size := run.record.get("stack", 1), int)}
    if sizes - {1}:
        parts.append(f"stacks of {' and '.join(map(str, sorted(sizes)))}")
    return ", ".join(parts)


def _at_once(run: Run) -> int | None:
    """How many runs trained at once, as run.json says; None where nobody knows."""
    found = run.record.get("beside")
    number = found.get("at_once") if isinstance(found, Mapping) else None
    return number if isinstance(number, int) else None


def unlike_kernels(groups: Sequence[Group], labels: Sequence[str]) -> str:
    """That variants run by different kinds of kernels, which their seconds compare too; or "".

    Where all variants of a cell run by one kind, cells are named, else the variants by `labels`.
    """
    kinds: dict[str, list[str]] = {}
    cells: dict[str, list[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        for name in {str(run.record["kernel"]) for run in group.finished if "kernel" in run.record}:
            kind = "nn." if name.startswith("nn.") else name if name in _COMPILED else "steps"
            kinds.setdefault(kind, []).append(label)
            cells.setdefault(kind, []).append(cell(group.cell))
    if len(kinds) < 2:
        return ""
    each = [set(own) for own in cells.values()]
    if sum(map(len, each)) == len(set().union(*each)):
        kinds = cells
    ways = {"nn.": "By a module of torch, such as nn.LSTM", **_COMPILED}
    parts = [
        f"{ways.get(kind, 'Step by step')}: {wording.listed(list(dict.fromkeys(kinds[kind])))}."
        for kind in sorted(kinds, key=[*ways, "steps"].index)
    ]
    return f"Seconds compare kernels too. {' '.join(parts)}"


def place_of(run: Run) -> str:
    """Device and processor that a run trained on."""
    host = run.record.get("host")
    cpu = host.get("cpu", "") if isinstance(host, Mapping) else ""
    return f"{run.record.get('device', '')} on {cpu}".strip()


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
