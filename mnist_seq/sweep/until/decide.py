"""Decides which arms of a study are still open, from the differences that it has so far.

The decision is a function of the differences alone, so a study that was killed ends as it would
have ended. It is computed round by round: round r has the first r seeds of each arm, and comes once
all open arms have r seeds. An arm that is ahead of the others gets no more seeds once its own round
can only find it called or equivalent.
"""

import functools
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mnist_seq.report.read.planned import SweepPlan
from mnist_seq.stats import adjust
from mnist_seq.stats.sequential.looks import Looks, look
from mnist_seq.stats.sequential.outlook import chance_of_verdict

LEAST_CHANCE = 0.05  # of a verdict within the cap; an arm with less is given up
Word = Literal["open", "better", "worse", "equivalent", "out of reach", "at the cap"]
Differences = Sequence[float | None]  # in planned order; None where a run of the pair has no value


@dataclass(frozen=True)
class State:
    """Where an arm stands.

    Attributes:
        seeds: number of seeds at which it ended; of an open arm, those that it has.
        p_adjusted: p over all looks, adjusted over the family.
        chance: chance of a verdict within the cap, for "out of reach"; else NaN.
    """

    word: Word
    seeds: int
    p_adjusted: float = math.nan
    chance: float = math.nan

    @property
    def is_open(self) -> bool:
        """Whether it gets more seeds."""
        return self.word == "open"


def decide(
    differences: Mapping[str, Differences], plan: SweepPlan, *, higher_is_better: bool
) -> dict[str, State]:
    """The state of each arm.

    Args:
        differences: of each compared arm, up to the first pair that has not ended.
    """
    ended: dict[str, State] = {}
    ahead: dict[str, State] = {}
    for seeds in range(plan.first_seeds, plan.max_seeds + 1):
        if any(len(d) < seeds for arm, d in differences.items() if arm not in ended):
            ahead = _ahead(differences, ended, seeds, plan, higher_is_better=higher_is_better)
            break
        known = {
            arm: d[: ended[arm].seeds if arm in ended else seeds] for arm, d in differences.items()
        }
        ended |= _called(known, ended, plan, higher_is_better=higher_is_better)
        num_open = len(differences) - _num_called(ended)
        for arm in [arm for arm in differences if arm not in ended]:
            chance = _chance(arm, known[arm], seeds, num_open, plan)
            if seeds == plan.max_seeds:
                ended[arm] = State("at the cap", seeds)
            elif chance < LEAST_CHANCE:
                ended[arm] = State("out of reach", seeds, chance=chance)
        if len(ended) == len(differences):
            break
    found = ended | ahead
    return {arm: found.get(arm) or State("open", len(d)) for arm, d in differences.items()}


def _called(
    known: Mapping[str, Differences],
    ended: Mapping[str, State],
    plan: SweepPlan,
    *,
    higher_is_better: bool,
) -> dict[str, State]:
    """The open arms that are called or shown equivalent in a round that all of them have."""
    looks = {arm: _look(tuple(d), plan.margin) for arm, d in known.items()}
    p = np.array([found.p if (found := looks[arm]) else 1.0 for arm in known])
    called: dict[str, State] = {}
    for (arm, d), q in zip(known.items(), adjust(p), strict=True):
        found = looks[arm]
        if arm not in ended and found:
            state = _state(found, float(q), len(d), plan, higher_is_better=higher_is_better)
            called |= {arm: state} if state else {}
    return called


def _ahead(
    differences: Mapping[str, Differences],
    ended: Mapping[str, State],
    seeds: int,
    plan: SweepPlan,
    *,
    higher_is_better: bool,
) -> dict[str, State]:
    """The open arms that have this round, and will be called or equivalent whatever others show.

    Their own p is small enough beside the arms that are called already. So the round in which all
    arms have as many seeds will find the same.
    """
    called: dict[str, State] = {}
    num_open = len(differences) - _num_called(ended)
    for arm, d in differences.items():
        if arm in ended or len(d) < seeds or not (found := _look(tuple(d), plan.margin)):
            continue
        q = min(1.0, num_open * found.p)
        state = _state(found, q, len(d), plan, higher_is_better=higher_is_better)
        called |= {arm: state} if state else {}
    return called


def _state(
    found: Looks, p_adjusted: float, seeds: int, plan: SweepPlan, *, higher_is_better: bool
) -> State | None:
    """Whether an arm is better, worse or equivalent; None if none of these is shown."""
    if p_adjusted <= plan.alpha:
        is_better = (found.difference > 0) == higher_is_better
        return State("better" if is_better else "worse", seeds, p_adjusted)
    if found.p_equivalence <= plan.alpha:
        return State("equivalent", seeds, p_adjusted)
    return None


def _num_called(ended: Mapping[str, State]) -> int:
    return sum(state.word in ("better", "worse") for state in ended.values())


@functools.lru_cache(maxsize=4096)
def _look(d: tuple[float | None, ...], margin: float | None) -> Looks | None:
    """The evidence of an arm; None without a pair."""
    values = _values(d)
    return look(values, margin=margin, scale=100.0) if len(values) else None


def _chance(arm: str, d: Differences, seeds: int, num_open: int, plan: SweepPlan) -> float:
    """The chance of a verdict within the cap; its random numbers follow from plan, arm and n."""
    text = "\n".join([*plan.arms, arm, str(seeds), str(plan.max_seeds)])
    return _chance_of(
        tuple(d),
        plan.max_seeds - seeds,
        max(1, num_open) / plan.alpha,
        plan.alpha,
        plan.margin,
        zlib.crc32(text.encode(errors="replace")),
    )


@functools.lru_cache(maxsize=4096)
def _chance_of(
    d: tuple[float | None, ...],
    more: int,
    threshold: float,
    alpha: float,
    margin: float | None,
    rng_seed: int,
) -> float:
    return chance_of_verdict(
        _values(d), more=more, threshold=threshold, alpha=alpha, margin=margin, rng_seed=rng_seed
    )


def _values(d: Sequence[float | None]) -> np.ndarray:
    return np.array([x for x in d if x is not None], dtype=np.float64)
