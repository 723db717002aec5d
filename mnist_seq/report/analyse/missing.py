"""Finds the runs that a comparison lacks or that are not done, and the commands that add them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_seq.config.words import key_of
from mnist_seq.report.analyse.grouping import Group, command
from mnist_seq.report.analyse.searches import GRID
from mnist_seq.report.read.planned import covered, plans_of
from mnist_seq.report.read.run import Run
from mnist_seq.report.texts.words import described
from mnist_seq.report.value import Missing
from mnist_seq.runs.commands import override
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import (
    BASELINE_CELL,
    SOURCE,
    START,
    TYPED,
    Flat,
    anew,
    is_by_start,
    typed,
    words_of_own_option,
)


def undone(
    runs: Sequence[Run], sources: Sequence[Path], samplers: Mapping[Path, str], *, is_whole: bool
) -> str:
    """How many runs of a sweep are not done: "3 of 10 runs"; "" where all are.

    Not done is a run that was interrupted or still trains, and one of the sweep's last command that
    has not begun. A run that diverged or failed has ended. Of a search nothing is missing.

    Args:
        runs: of one task; runs that have not begun count where a plan of that task names them, or
            none.
        is_whole: whether all runs of the sources are compared; else nobody knows which of those
            that have not begun would be.
    """
    planned = [run for run in runs if samplers[run.folder] == GRID]
    absent: set[Path] = set()
    for source in sources if is_whole else ():
        if not SweepFolder(source).is_search():
            absent |= _not_begun(SweepFolder(source)) - _of_other_tasks(source, runs)
    num = sum(run.state == "interrupted" for run in planned) + len(absent)
    return f"{num} of {plural(len(planned) + len(absent), 'run')}" if num else ""


def _not_begun(sweep: SweepFolder) -> set[Path]:
    """Folders of the runs of a sweep's last command that have no run.json."""
    if not sweep.ledger_path.exists() or _stops_by_itself(sweep):
        return set()
    names: set[str] = set()
    is_planning = False
    for row in sweep.ledger():
        is_plan = row.get("change") in ("planned", "reused")
        if is_plan and not is_planning:
            names = set()  # a command names all its runs before the first one starts
        if is_plan:
            names.add(str(row.get("run")))
        is_planning = is_plan
    folders = {sweep.path / name for name in names}
    return {path for path in folders if not RunFolder(path).record_path.exists()}


def _of_other_tasks(sweep: Path, runs: Sequence[Run]) -> set[Path]:
    """Folders of the runs that only plans of other tasks name; a plan is of one task."""
    names = {run.folder.name for run in runs if run.folder.parent == sweep}
    try:
        named = [covered([plan]) for plan in plans_of(sweep)]
    except (ValueError, OSError):  # said where its comparisons are read
        return set()
    own = set().union(*(plan for plan in named if plan & names))
    return {sweep / name for plan in named if not plan & names for name in plan - own}


def _stops_by_itself(sweep: SweepFolder) -> bool:
    """Whether the sweep adds seeds until it is decided: then a run that has not begun may never."""
    try:
        return any(plan.mode == "anytime" for plan in plans_of(sweep.path))
    except (ValueError, OSError):  # said where its comparisons are read
        return False


def missing_runs(
    groups: Sequence[Group],
    keys: Sequence[str],
    defaults: Flat,
    *,
    is_by_hand: bool,
    tried: Mapping[str, Sequence[Any]],
    names: Sequence[str],
) -> tuple[Missing, ...]:
    """Missing baselines, and seeds that a baseline lacks. A diverged run is not missing.

    Args:
        tried: values of each tuned key; a missing baseline needs a run with each of them.
        names: of the groups, for people.
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
            found.append(Missing(f"baseline {names[place]}", tuple(lacking), text))
    return tuple(found)


def _word(value: object) -> str:
    is_text = isinstance(value, str) and value not in TYPED
    return override("", str(value)).removeprefix("=") if is_text else typed(value)


def _baseline_of(
    group: Group, groups: Sequence[Group], keys: Sequence[str], defaults: Flat
) -> tuple[str, tuple[list[str], set[str]]]:
    """The missing baseline of a variant: its name, its overrides, and the keys they replace."""
    of_start = {*START, "training.init_from"}
    if is_by_start([other.variant for other in groups]):
        return described(anew(group.variant), keys), ([], of_start)
    if any(other.cell != BASELINE_CELL for other in groups):
        own = {key for key in group.variant if key.startswith("model.") and key not in defaults}
        variant = {**group.variant, "model.name": BASELINE_CELL}
        run = group.runs[0]
        typed_keys = {key_of(str(word)) for word in run.record.get("overrides", [])}
        words = [f"model={BASELINE_CELL}"]
        words += words_of_own_option(group.variant, defaults, typed_keys)
        return described(variant, keys), (words, {"model", *own})
    values = {key: defaults[key] for key in keys if key in defaults}
    words = [f"{key.removesuffix('.name')}={_word(v)}" for key, v in values.items()]
    drop = {*keys, *(key.removesuffix(".name") for key in keys)}
    variant = {**group.variant, **values}
    if SOURCE in keys:
        variant, drop = anew(variant), drop | of_start
    return described(variant, keys), (words, drop)
