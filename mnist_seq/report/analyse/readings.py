"""How each comparison may be read: once, as it was planned, or at any number of seeds.

A t-test holds for one look at a number of seeds that was fixed before. Where a comparison stands at
another number (seeds were added, runs are missing yet, the sweep runs until it is decided), its
verdict comes from an e-value, over the seeds in planned order up to the first gap.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.read.planned import (
    PlannedArm,
    SweepPlan,
    comparisons,
    declared_margin,
    plans_of,
)
from mnist_seq.report.read.run import Run
from mnist_seq.report.value import Kind
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.text import plural
from mnist_seq.stats import Rule

_ENDED = ("finished", "diverged", "failed", "unreadable")


@dataclass(frozen=True)
class Reading:
    """How one comparison is read.

    Attributes:
        kind: "planned": its one look was planned at this number of seeds. "one look": no plan was
            recorded, so it is read as if it was the only look. "anytime": by e-values.
        seeds: of an e-value: the seeds in planned order, up to the first that has not ended.
        waits: why later seeds do not count yet; "" if all count.
        given_up: why the sweep gave it no more seeds while it was undecided; "" if it did not.
    """

    kind: Kind
    seeds: tuple[int, ...] = ()
    waits: str = ""
    given_up: str = ""


class Plans:
    """The plans of the sweeps that the runs of a comparison come from.

    Attributes:
        damaged: texts on plans that cannot be read; their comparisons are read by e-values, which
            hold whatever was planned.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.damaged: list[str] = []
        self._plans: dict[Path, tuple[SweepPlan, ...] | None] = {}
        self._given_up: dict[tuple[Path, str], str] = {}
        self._found: dict[int, tuple[Group, list[tuple[SweepPlan, PlannedArm]]]] = {}
        for folder in dict.fromkeys(run.folder.parent for run in runs):
            try:
                self._plans[folder] = plans_of(folder)
            except (ValueError, OSError) as error:
                self._plans[folder] = None
                self.damaged.append(" ".join(str(error).split()))
            decisions = _decisions(folder)
            if decisions and self._plans[folder] == ():
                self._plans[folder] = None
                self.damaged.append(f"{folder} was run until it was decided, and lacks plan.json")
            for row in decisions:
                self._given_up[folder, str(row.get("arm"))] = _why(row)

    @property
    def margin(self) -> float | None:
        """The margin that the plans declare, if all sweeps declare the same one."""
        found = {declared_margin(plans or ()) for plans in self._plans.values()}
        return found.pop() if len(found) == 1 else None

    def read(self, variant: Group, baseline: Group) -> Reading:
        """How a comparison of two groups is read."""
        sides = variant.runs + baseline.runs
        seeds = {run.seed for run in variant.runs}
        plans = [self._plans.get(folder, ()) for folder in {run.folder.parent for run in sides}]
        if None in plans:
            return self._anytime(sorted(seeds), variant, baseline)
        own = self._arms(variant)
        planned = next((arm for _, arm in own if len(arm.runs) > 1), None)
        is_unplanned = not all(plans)
        is_fixed = bool(own) and own[0][0].mode == "fixed"
        if is_unplanned or (is_fixed and planned is not None and planned.ended > 1):
            return Reading("one look")
        of_base = {seed for _, arm in self._arms(baseline) for seed in arm.runs}
        of_base |= {run.seed for run in baseline.runs}
        order = [seed for _, arm in own for seed in arm.runs]
        order = [s for s in dict.fromkeys([*order, *sorted(seeds)]) if s in of_base]
        if len(order) < 2:  # seeds that do not pair by design have no e-value
            return Reading("one look")
        if planned is not None and is_fixed:
            first = _planned_seeds(own, self._arms(baseline))
            has_more = any(seed in of_base and seed not in first for seed in seeds)
            if first and not has_more and self._prefix(first, variant, baseline) == first:
                return Reading("planned")
        return self._anytime(order, variant, baseline)

    def _anytime(self, order: Sequence[int], variant: Group, baseline: Group) -> Reading:
        prefix = self._prefix(order, variant, baseline)
        ended = _ended(variant) & _ended(baseline)
        later = [seed for seed in order if seed in ended and seed not in prefix]
        gap = next((seed for seed in order if seed not in prefix), None)
        waits = f"; {plural(len(later), 'later pair')} wait for seed {gap}" if later else ""
        names = [(folder, arm.name) for folder, arm in self._named(variant)]
        why = next((text for name in names if (text := self._given_up.get(name))), "")
        return Reading("anytime", tuple(prefix), waits.replace("pair wait", "pair waits"), why)

    def _prefix(self, order: Sequence[int], variant: Group, baseline: Group) -> list[int]:
        """The seeds up to the first of which a side has not ended.

        Later ones do not count yet: which runs end early may depend on their results. A run that
        failed before it began has ended too.
        """
        ended = _ended(variant) & _ended(baseline)
        prefix = list(itertools.takewhile(ended.__contains__, order))
        if len(prefix) == len(order):
            return prefix
        over = (_ended(side) | self._failed_early(side) for side in (variant, baseline))
        ended = set.intersection(*over)
        return list(itertools.takewhile(ended.__contains__, order))

    def _failed_early(self, group: Group) -> set[int]:
        """Planned seeds whose run failed before it wrote run.json, so that no report has it."""
        known = {run.seed for run in group.runs}
        return {
            seed
            for folder, arm in self._named(group)
            for seed, name in arm.runs.items()
            if seed not in known and _is_failed(SweepFolder(folder).run(name))
        }

    def _arms(self, group: Group) -> list[tuple[SweepPlan, PlannedArm]]:
        """The planned arms that hold a run of a group, in the order of their plans."""
        if id(group) in self._found:  # a baseline is asked for once for each of its variants
            return self._found[id(group)][1]
        names: dict[Path, set[str]] = {}
        for run in group.runs:
            names.setdefault(run.folder.parent, set()).add(run.folder.name)
        found = [
            (plan, arm)
            for folder, own in names.items()
            for plan in self._plans.get(folder) or ()
            for arm in plan.arms.values()
            if not own.isdisjoint(arm.runs.values())
        ]
        self._found[id(group)] = (group, found)
        return found

    def _named(self, group: Group) -> Iterator[tuple[Path, PlannedArm]]:
        """The planned arms of a group, with the folder of their sweep."""
        for folder in dict.fromkeys(run.folder.parent for run in group.runs):
            yield from ((folder, arm) for _, arm in self._arms(group))

    def is_over(self, variant: Group) -> bool:
        """Whether all planned runs of a variant have ended, so that no comparison can come."""
        planned = {seed for _, arm in self._arms(variant) for seed in arm.runs}
        return bool(planned) and planned <= _ended(variant) | self._failed_early(variant)

    def num_unseen(self, compared: Sequence[Group]) -> int:
        """Number of planned comparisons that no group stands for: they have too few seeds yet."""
        seen = {run.folder.name for group in compared for run in group.runs}
        return sum(not runs & seen for runs in comparisons(self._families(compared)))

    def _families(self, compared: Sequence[Group]) -> list[SweepPlan]:
        """All plans that name one of the groups, each once."""
        found = {id(plan): plan for group in compared for plan, _ in self._arms(group)}
        return list(found.values())

    def notes(self, compared: Sequence[Group], rule: Rule, metric: str) -> tuple[str, ...]:
        """What a reader must know of the plans, one sentence each."""
        notes = [f"{text}; its comparisons are read by e-values" for text in self.damaged]
        plans = self._families(compared)
        if not plans:
            return tuple(notes)
        first, now = plans[0], len(compared)
        if now > first.num_comparisons > 0:
            notes.append(
                f"the family has grown since the sweep began, from {first.num_comparisons} to "
                f"{plural(now, 'comparison')}: this is a new plan, and its correction may take "
                "back an earlier call"
            )
        declared = {
            "metric": (first.metric, metric),
            "test": (first.test, rule.test),
            "alpha": (first.alpha, rule.alpha),
            "correction": (first.correction, rule.correction),
            "margin": (first.margin or "none", rule.margin or "none"),
        }
        notes += [
            f"the plan of the sweep declares {name}={was}, and this reading has {name}={value}: it "
            "was not declared before the first run"
            for name, (was, value) in declared.items()
            if was != value
        ]
        return tuple(notes)


def _planned_seeds(
    own: Sequence[tuple[SweepPlan, PlannedArm]], base: Sequence[tuple[SweepPlan, PlannedArm]]
) -> list[int]:
    """The seeds of a pair in the first plan that has both; else those first planned of each.

    Seeds that a later plan gives to one side are a second look.
    """
    both = [(a, b) for plan, a in own for other, b in base if other is plan]
    firsts = [next((arm for _, arm in side if len(arm.runs) > 1), None) for side in (own, base)]
    for a, b in (*both, firsts):
        common = [] if a is None or b is None else [seed for seed in a.runs if seed in b.runs]
        if len(common) > 1:
            return common
    return []


def _decisions(folder: Path) -> list[dict[str, Any]]:
    """How arms of `sweep.until=decided` have ended; a file that cannot be read says nothing."""
    try:
        return SweepFolder(folder).decisions()
    except OSError:
        return []


def _why(row: Mapping[str, Any]) -> str:
    """Why an arm got no more seeds while it was undecided; "" where it was decided."""
    seeds, cap, chance = row.get("seeds"), row.get("max_seeds"), row.get("chance")
    if row.get("word") == "at the cap":
        return f"; undecided at the cap of {seeds} seeds"
    if row.get("word") == "out of reach" and isinstance(chance, float | int):
        return f"; given up at {seeds} seeds: chance of a verdict within {cap} seeds {chance:.1%}"
    return ""


def _is_failed(run: RunFolder) -> bool:
    try:
        return run.error_path.exists() and run.state() == "failed"
    except (OSError, ValueError):
        return False


def _ended(group: Group) -> set[int]:
    return {run.seed for run in group.runs if run.state in _ENDED}
