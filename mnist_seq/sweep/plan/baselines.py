"""Finds the baseline runs that a comparison needs and the plan lacks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mnist_seq.config.words import key_of
from mnist_seq.runs.variants import (
    BASELINE_CELL,
    OF_ALL_CELLS,
    START,
    BaselineRule,
    Flat,
    flat,
    is_by_start,
    task_name,
    typed,
    words_of_own_option,
)
from mnist_seq.sweep.plan.planner import PlannedRun

Job = tuple[str, ...]
_OF_A_START = ("training.init_from", *START)
_OF_A_TASK = ("data", "experiment")  # keys that say which task a run is on; a baseline keeps them


def missing_baselines(
    runs: Sequence[PlannedRun],
    *,
    defaults: Mapping[str, Any],
    swept: Sequence[str],
    plan: Callable[[Job, Sequence[str]], PlannedRun],
) -> list[PlannedRun]:
    """Baseline runs of the planned runs, by the rule of `runs.variants`, that are not planned yet.

    Args:
        defaults: values of `conf/train.yaml` without overrides.
        plan: (overrides, keys that its name needs) -> planned run.
    """
    variants = {run.variant.key: run.variant.flat for run in runs}
    flat_defaults = flat(defaults)
    with_others = {task_name(v) for v in variants.values() if v["model.name"] != BASELINE_CELL}
    by_start = {task for task in map(task_name, variants.values())
                if is_by_start([v for v in variants.values() if task_name(v) == task])}  # fmt: skip
    wanted: dict[Job, PlannedRun] = {}
    for run in runs:
        task = task_name(run.variant.flat)
        if task in by_start:
            job = tuple(word for word in run.overrides if key_of(word) not in _OF_A_START)
        else:
            has_other_cell = task in with_others
            job = _baseline_job(run, flat_defaults, swept, has_other_cell=has_other_cell)
        if job != run.overrides:
            wanted.setdefault(job, run)
    planned = {(run.variant.key, run.config.seed) for run in runs}
    found = []
    for job, run in wanted.items():
        changed = [key_of(word) for word in job if word not in run.overrides]
        candidate = plan(job, changed)
        config = candidate.variant.flat
        key = (candidate.variant.key, candidate.config.seed)
        if key in planned:
            continue
        rule = BaselineRule({**variants, key[0]: config}.values(), defaults=flat_defaults)
        if rule.is_baseline(config, run.variant.flat):
            planned.add(key)
            found.append(candidate)
    return found


def _baseline_job(
    run: PlannedRun, defaults: Flat, swept: Sequence[str], *, has_other_cell: bool
) -> Job:
    """Overrides of a run's baseline."""
    words = []
    is_source_swept = _OF_A_START[0] in swept
    for word in run.overrides:
        key = key_of(word)
        if key in _OF_A_START and is_source_swept and not has_other_cell:
            continue
        if has_other_cell:
            if key == "model":
                word = f"model={BASELINE_CELL}"
            elif key.startswith("model.") and key not in defaults.keys() | OF_ALL_CELLS:
                continue  # a key that the LSTM does not have
        elif key in swept and key not in ("seed", *_OF_A_TASK):
            default = defaults.get(f"{key}.name", defaults.get(key))
            if default is None:
                continue  # a key that the defaults do not have
            word = f"{key}={typed(default)}"
        words.append(word)
    if has_other_cell and not any(key_of(w) == "model" for w in words):
        words.append(f"model={BASELINE_CELL}")
    if has_other_cell:
        words += words_of_own_option(run.variant.flat, defaults, set(map(key_of, words)))
    return tuple(words)
