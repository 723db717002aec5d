"""The baseline runs that a comparison would miss."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mnist_seq.config import plain
from mnist_seq.runs.variants import BASELINE_CELL, Flat, find_baseline, flat
from mnist_seq.sweep.expand import key_of
from mnist_seq.sweep.plan import PlannedRun

Job = tuple[str, ...]


def missing_baselines(
    runs: Sequence[PlannedRun],
    *,
    defaults: Mapping[str, Any],
    swept: Sequence[str],
    plan: Callable[[Sequence[Job]], list[PlannedRun]],
) -> list[PlannedRun]:
    """Runs that are some planned run's baseline, by the rule of `runs.variants`, and not planned.

    Args:
        defaults: values of `conf/train.yaml` as it stands.
        plan: makes planned runs of overrides.
    """
    flats = {run.identity: flat(plain(run.config)) for run in runs}
    flat_defaults = flat(defaults)
    seeds = {(_key(flats[run.identity]), run.config.seed) for run in runs}
    has_other_cell = any(f["model.name"] != BASELINE_CELL for f in flats.values())
    wanted: dict[Job, None] = {}
    for run in runs:
        job = _baseline_job(run, flat_defaults, swept, has_other_cell=has_other_cell)
        if job != run.overrides:
            wanted[job] = None
    known = {run.identity for run in runs}
    found = []
    for candidate in plan(list(wanted)):
        candidate_flat = flat(plain(candidate.config))
        variants = [*flats.values(), candidate_flat]
        is_needed = (_key(candidate_flat), candidate.config.seed) not in seeds and any(
            find_baseline(f, variants=[candidate_flat, *variants], defaults=flat_defaults)
            == candidate_flat
            for f in flats.values()
        )
        if is_needed and candidate.identity not in known:
            found.append(candidate)
    return found


def _baseline_job(
    run: PlannedRun, defaults: Flat, swept: Sequence[str], *, has_other_cell: bool
) -> Job:
    """Overrides of a run's baseline."""
    words = []
    for word in run.overrides:
        key = key_of(word)
        if has_other_cell:
            if key == "model":
                word = f"model={BASELINE_CELL}"
            elif key.startswith("model.") and key not in defaults:
                continue  # an option that the LSTM does not have
        elif key in swept and key != "seed":
            default = defaults.get(f"{key}.name", defaults.get(key))
            if default is None:
                continue  # an option that the defaults do not have
            word = f"{key}={_written(default)}"
        words.append(word)
    if has_other_cell and not any(key_of(w) == "model" for w in words):
        words.append(f"model={BASELINE_CELL}")
    return tuple(words)


def _written(value: Any) -> str:
    """A value as Hydra's grammar reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ",".join(_written(v) for v in value) + "]"
    return "inf" if value == "Infinity" else str(value)  # JSON's word, and Hydra's


def _key(variant: Flat) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(variant.items(), key=lambda item: item[0]))
