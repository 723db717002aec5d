"""Which values of tuned keys a variant is reported with: the best on validation, never on test."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mnist_seq.config.messages import suggestion
from mnist_seq.report import wording
from mnist_seq.report.analyse.budgets import parted
from mnist_seq.report.analyse.grouping import command, sortable
from mnist_seq.report.analyse.guess import Guess
from mnist_seq.report.analyse.searches import was_tried
from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.read.run import Run
from mnist_seq.report.texts.words import described
from mnist_seq.report.value import Choice, Missing
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import ARM, Flat, distinct, naming_keys, variant_key, varying
from mnist_seq.runs.variants import shown as written

Identity = tuple[Any, ...]


@dataclass(frozen=True)
class Chosen:
    """What is left of the runs once each variant has its best values.

    Attributes:
        keys: config keys that were tuned; they are no part of what makes a variant.
        choices: by the identity of a variant without these keys.
    """

    runs: tuple[Run, ...]
    keys: frozenset[str] = frozenset()
    choices: Mapping[Identity, Choice] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()


def choose(
    runs: Sequence[Run],
    selector: Metric,
    over: Sequence[str],
    samplers: Mapping[Path, str],
    *,
    guess: Guess,
) -> Chosen:
    """Keeps, of each variant, the runs at the tuned values with the best mean on validation.

    A run that diverged counts as a guess: without it, values that diverge now and then would look
    better than they are. Of values with unequal numbers of seeds only those with the most compete,
    and none that a search stopped. Equal means are settled by the smallest value.

    Args:
        selector: a metric on valid.
        over: keys, or groups (`optimizer` for all its keys); without any, all runs are kept.
        samplers: of `samplers_of`.
        guess: stands for a run that diverged.

    Raises:
        CannotCompare: a key that no run has, one that says what is compared, or no run has the
            metric.
    """
    if not over:
        return Chosen(tuple(runs))
    _check_selector(selector, runs)
    keys = frozenset(key for name in over for key in _covered(name, runs))
    found: dict[Identity, dict[Identity, list[Run]]] = {}
    for run in runs:
        rest, own = parted(run.variant, keys)
        found.setdefault(variant_key(rest), {}).setdefault(variant_key(own), []).append(run)
    names = naming_keys([parted(run.variant, keys)[0] for run in runs])
    shown = varying([parted(run.variant, keys)[1] for run in runs])
    if not shown:
        return Chosen(
            tuple(runs), notes=(f"nothing was chosen: over={','.join(over)} does not vary",)
        )
    kept: list[Run] = []
    choices: dict[Identity, Choice] = {}
    warnings: list[str] = []
    missing: list[Missing] = []
    for identity, candidates in found.items():
        ranked = _Ranked([_Candidate(members, keys, selector, samplers, guess)
                          for members in candidates.values()])  # fmt: skip
        kept += ranked.best.runs
        choices[identity] = ranked.choice(shown, selector)
        name = described(parted(ranked.best.runs[0].variant, keys)[0], names)
        warnings += ranked.warnings(name, shown)
        missing += ranked.missing(name, shown)
    order = {id(run) for run in kept}
    note = _note(runs, kept, selector, shown or sorted(keys))
    return Chosen(
        runs=tuple(run for run in runs if id(run) in order),
        keys=keys,
        choices=choices,
        notes=(note,),
        warnings=tuple(warnings),
        missing=tuple(missing),
    )


class _Candidate:
    """The runs of a variant at one combination of the tuned values."""

    def __init__(
        self,
        runs: list[Run],
        keys: frozenset[str],
        selector: Metric,
        samplers: Mapping[Path, str],
        guess: Guess,
    ) -> None:
        self.runs = runs
        self.values = parted(runs[0].variant, keys)[1]
        self.num_diverged = sum(run.state == "diverged" for run in runs)
        found = {run.seed: selector.of(run) for run in runs if run.state == "finished"}
        found |= {run.seed: guess.of(selector) for run in runs if run.state == "diverged"}
        self.by_seed = {seed: value for seed, value in found.items() if value is not None}
        left = [run for run in runs if run.state == "interrupted"]
        is_stopped = any(was_tried(run, samplers[run.folder]) for run in left)
        self.is_stopped = is_stopped and not self.by_seed  # by its search, for what it had
        sign = 1 if selector.higher_is_better else -1
        self.mean = float(np.mean(list(self.by_seed.values()))) if self.by_seed else np.nan
        place = [sortable(value) for _, value in sorted(self.values.items())]
        self.rank = (-len(self.by_seed), -sign * self.mean if self.by_seed else 0.0, place)


class _Ranked:
    """The candidates of a variant, the best first."""

    def __init__(self, candidates: list[_Candidate]) -> None:
        self.all = sorted(candidates, key=lambda c: c.rank)
        self.best = self.all[0]
        most = len(self.best.by_seed)
        self.rivals = [c for c in self.all if len(c.by_seed) == most]
        self.stopped = [c for c in self.all if c.is_stopped]
        self.short = [c for c in self.all if len(c.by_seed) < most and not c.is_stopped]

    def choice(self, shown: Sequence[str], selector: Metric) -> Choice:
        settings = {k: written(self.best.values[k]) for k in shown if k in self.best.values}
        tried = sum(bool(c.by_seed) or c.is_stopped for c in self.all)
        second = self.rivals[1] if len(self.rivals) > 1 else None
        return Choice(
            settings=settings,
            num_tried=tried,
            value=self.best.mean,
            n=len(self.best.by_seed),
            runner_up=second.mean if second else np.nan,
            text=f"{_words(settings)} of {tried}" if settings else f"the only one of {tried}",
            remarks=tuple(self._remarks(shown, selector)),
        )

    def _remarks(self, shown: Sequence[str], selector: Metric) -> list[str]:
        remarks = []
        for key in shown:
            tried = sorted({c.values[key] for c in self.all if _is_number(c.values.get(key))})
            own = self.best.values.get(key)
            if len(tried) > 2 and own in (tried[0], tried[-1]):
                end = "smallest" if own == tried[0] else "largest"
                remarks.append(f"{written(own)} is the {end} {key} tried")
        ties = [c for c in self.rivals[1:] if c.mean == self.best.mean]
        if ties:
            others = ", ".join(_words(_texts(c.values, shown)) for c in ties)
            remarks.append(f"equal on {selector.label} to {others}; the smaller value counts")
        if self.stopped:
            remarks.append(f"{len(self.stopped)} stopped early by the search did not compete")
        if self.best.num_diverged:
            n = len(self.best.runs)
            remarks.append(f"{self.best.num_diverged} of {n} seeds diverged, and count as a guess")
        return remarks

    def warnings(self, name: str, shown: Sequence[str]) -> list[str]:
        if not self.short:
            return []
        found = [f"{_words(_texts(c.values, shown))} has {len(c.by_seed)}" for c in self.short]
        return [
            f"unequal seeds in the choice for {name}: {wording.listed(found)} of the "
            f"{len(self.best.by_seed)} seeds that others have, and did not compete"
        ]

    def missing(self, name: str, shown: Sequence[str]) -> list[Missing]:
        wanted = set(self.best.by_seed)
        found = []
        for candidate in self.short:
            if lacking := sorted(wanted - set(candidate.by_seed)):
                what = f"{name} at {_words(_texts(candidate.values, shown))}"
                text = command(candidate.runs[0], [], seeds=lacking)
                found.append(Missing(what, tuple(lacking), text))
        return found


def _check_selector(selector: Metric, runs: Sequence[Run]) -> None:
    if not any(selector.of(run) is not None for run in runs):
        raise CannotCompare(
            f"a choice needs {selector.name}, and no finished run has it: select={selector.name}; "
            "train with data.valid=5000, say"
        )


def _covered(name: str, runs: Sequence[Run]) -> list[str]:
    """Keys of the variants that a word of `over` means."""
    known = dict.fromkeys(key for run in runs for key in run.variant)
    found = [key for key in known if key == name or key.startswith(f"{name}.")]
    if "model.name" in found or ARM in found:
        raise CannotCompare(
            f"over names what is tuned, not what is compared: over={name}; write over=optimizer.lr"
        )
    if not found:
        several = varying(distinct(run.variant for run in runs))
        hint = suggestion(name, known)
        hint = hint or f"; those that differ are {', '.join(several) or 'none'}"
        raise CannotCompare(f"over names keys of the runs' configs: over={name}{hint}")
    return found


def _note(runs: Sequence[Run], kept: Sequence[Run], selector: Metric, keys: Sequence[str]) -> str:
    left = Counter(run.state for run in runs) - Counter(run.state for run in kept)
    lost = [f"{number} {state}" for state, number in sorted(left.items()) if state != "finished"]
    of_them = f" ({', '.join(lost)})" if lost else ""
    return (
        f"{', '.join(keys)} chosen for each variant by its best mean {selector.label} over seeds, "
        f"validation only; test is reported for the chosen values alone, "
        f"{plural(left.total(), 'run')} at other values served the choice{of_them}"
    )


def _texts(values: Flat, shown: Sequence[str]) -> dict[str, str]:
    return {key: written(values[key]) for key in shown if key in values}


def _words(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in settings.items())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
