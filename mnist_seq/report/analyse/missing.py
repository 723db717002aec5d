"""Finds the runs that a comparison lacks, and writes the commands that add them."""

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_seq.config.words import key_of
from mnist_seq.report.analyse.grouping import Group, command
from mnist_seq.report.value import Missing
from mnist_seq.runs.commands import override
from mnist_seq.runs.variants import (
    BASELINE_CELL,
    TYPED,
    Flat,
    title,
    typed,
    words_of_own_option,
)


def missing_runs(
    groups: Sequence[Group],
    keys: Sequence[str],
    defaults: Flat,
    *,
    is_by_hand: bool,
    tried: Mapping[str, Sequence[Any]],
) -> tuple[Missing, ...]:
    """Missing baselines, and seeds that a baseline lacks. A diverged run is not missing.

    Args:
        tried: values of each tuned key; a missing baseline needs a run with each of them.
    """
    wanted: dict[str, tuple[Group, set[int]]] = {}
    for group in groups:
        if group.baseline is None and not is_by_hand:
            what, _ = _baseline_of(group, groups, keys, defaults)
            seeds = wanted.setdefault(what, (group, set()))[1]
            seeds |= {run.seed for run in group.runs}
    found = []
    for what, (group, seeds) in wanted.items():
        _, (words, drop) = _baseline_of(group, groups, keys, defaults)
        words += [f"{key}={','.join(map(_word, values))}" for key, values in tried.items()]
        text = command(group.runs[0], words, seeds=sorted(seeds), drop={*drop, *tried})
        found.append(Missing(f"baseline {what}", tuple(sorted(seeds)), text))
    for place, base in enumerate(groups):
        others = [g for g in groups if g.baseline == place and g is not base]
        if base.baseline != place or not others:
            continue
        asked = {run.seed for g in (base, *others) for run in g.runs}
        ended = {run.seed for run in base.runs if run.state in ("finished", "diverged")}
        if lacking := sorted(asked - ended):
            text = command(base.runs[0], [], seeds=lacking)
            found.append(Missing(f"baseline {base.name}", tuple(lacking), text))
    return tuple(found)


def _word(value: object) -> str:
    is_text = isinstance(value, str) and value not in TYPED
    return override("", str(value)).removeprefix("=") if is_text else typed(value)


def _baseline_of(
    group: Group, groups: Sequence[Group], keys: Sequence[str], defaults: Flat
) -> tuple[str, tuple[list[str], set[str]]]:
    """The missing baseline of a variant: its name, its overrides, and the keys they replace."""
    if any(other.cell != BASELINE_CELL for other in groups):
        own = {key for key in group.variant if key.startswith("model.") and key not in defaults}
        variant = {**group.variant, "model.name": BASELINE_CELL}
        run = group.runs[0]
        typed_keys = {key_of(str(word)) for word in run.record.get("overrides", [])}
        words = [f"model={BASELINE_CELL}"]
        words += words_of_own_option(group.variant, defaults, typed_keys)
        return title(variant, keys), (words, {"model", *own})
    values = {key: defaults[key] for key in keys if key in defaults}
    words = [f"{key.removesuffix('.name')}={_word(v)}" for key, v in values.items()]
    drop = {*keys, *(key.removesuffix(".name") for key in keys)}
    return title({**group.variant, **values}, keys), (words, drop)
