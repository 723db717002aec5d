"""Decides which arms of a study are still open, from the differences that it has so far.

The decision is a function of the differences alone, so a study that was killed ends as it would
have ended. It is computed round by round: round r has the first r seeds of each arm, and comes once
all open arms have r seeds. An arm that is ahead of the others gets no more seeds once its own round
can only find it called or equivalent.

Where runs diverged or failed, an arm ends by a verdict only if the report's second reading, which
counts each of them as a guess, does not withhold that verdict. An arm that had ended is open again
if a run that was still at work turns out to be lost, and the verdict is withheld since.
"""

import functools
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mnist_seq.report.read.planned import SweepPlan
from mnist_seq.stats import adjust, stands
from mnist_seq.stats.sequential.looks import Looks, look
from mnist_seq.stats.sequential.outlook import chance_of_verdict

_CALLS = ("better", "worse", "equivalent")
LEAST_CHANCE = 0.05  # of a verdict within the cap; an arm with less is given up
Call = Literal["better", "worse", "equivalent"]
Word = Literal["open", Call, "out of reach", "at the cap"]


@dataclass(frozen=True)
class Lost:
    """A pair of which a run diverged or failed.

    Attributes:
        counted: the difference where each such run counts as a guess; NaN where nobody knows what a
            guess has, None where the other run has no value.
    """

    counted: float | None = None


Differences = Sequence[float | Lost | None]  # in planned order; None for a pair without a value


@dataclass(frozen=True)
class State:
    """Where an arm stands.

    Attributes:
        seeds: number of seeds at which it ended; of an open arm, those that it has.
        p_adjusted: p over all looks, adjusted over the family.
        chance: chance of a verdict within the cap, for "out of reach"; else NaN.
        is_withheld: whether the runs that trained make a call that their second reading withholds.
    """

    word: Word
    seeds: int
    p_adjusted: float = math.nan
    chance: float = math.nan
    is_withheld: bool = False

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
        seen = _readings(known, plan, higher_is_better=higher_is_better)
        ended |= {arm: r.state for arm, r in seen.items() if arm not in ended and r.is_call}
        num_open = plan.num_comparisons - _num_called(ended)
        for arm in [arm for arm in differences if arm not in ended]:
            is_withheld = seen[arm].is_withheld
            d = _counted(known[arm]) if is_withheld else _trained(known[arm])
            chance = _chance(arm, d, seeds, num_open, plan)
            if seeds == plan.max_seeds:
                ended[arm] = State("at the cap", seeds, is_withheld=is_withheld)
            elif chance < LEAST_CHANCE:
                ended[arm] = State("out of reach", seeds, chance=chance, is_withheld=is_withheld)
        if len(ended) == len(differences):
            break
    return _by_all_pairs(differences, ended | ahead, plan, higher_is_better)


@dataclass(frozen=True)
class _Reading:
    """What the pairs of an arm show.

    Attributes:
        call: of the runs that trained; None if there is none.
        is_withheld: whether the second reading withholds that call.
    """

    call: State | None
    is_withheld: bool = False

    @property
    def is_call(self) -> bool:
        return self.call is not None and not self.is_withheld

    @property
    def state(self) -> State:
        assert self.call is not None
        return self.call


def _readings(
    known: Mapping[str, Differences], plan: SweepPlan, *, higher_is_better: bool
) -> dict[str, _Reading]:
    """What the report says of each arm: a call, or a call that it withholds."""
    first = _calls({arm: _trained(d) for arm, d in known.items()}, known, plan, higher_is_better)
    has_lost = {arm for arm, d in known.items() if any(isinstance(x, Lost) for x in d)}
    second: dict[str, State | None] = {}
    if any(first[arm] for arm in has_lost):
        counted = {arm: _counted(d) for arm, d in known.items()}
        second = _calls(counted, known, plan, higher_is_better)
    found = {}
    for arm, d in known.items():
        call = first[arm]
        is_withheld = arm in has_lost and call is not None and not _stands(call, second[arm], d)
        found[arm] = _Reading(call, is_withheld)
    return found


def _calls(
    values: Mapping[str, tuple[float, ...]],
    known: Mapping[str, Differences],
    plan: SweepPlan,
    higher_is_better: bool,
) -> dict[str, State | None]:
    looks = {arm: _look(d, plan.margin) for arm, d in values.items()}
    p = np.array(
        [1.0 if found is None else found.p for found in looks.values()] + [1.0] * plan.num_others
    )
    return {
        arm: None
        if found is None
        else _state(found, float(q), len(known[arm]), plan, higher_is_better)
        for (arm, found), q in zip(looks.items(), adjust(p)[: len(looks)], strict=True)
    }


def _stands(first: State, second: State | None, d: Differences) -> bool:
    """Whether a call also holds where lost runs count as a guess; by the rule of the report."""
    counted = _counted(d)
    if any(math.isnan(x) for x in counted):
        return False
    growth = float(np.mean(counted)) / (float(np.mean(_trained(d))) or math.nan)
    other = "not distinguishable" if second is None else second.word
    return stands(first.word, other, growth)  # type: ignore[arg-type]


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
    arms have as many seeds will find the same. Arms with a lost run wait for that round.
    """
    called: dict[str, State] = {}
    num_open = plan.num_comparisons - _num_called(ended)
    for arm, d in differences.items():
        if arm in ended or len(d) < seeds or any(isinstance(x, Lost) for x in d):
            continue
        if found := _look(_trained(d), plan.margin):
            q = min(1.0, num_open * found.p)
            state = _state(found, q, len(d), plan, higher_is_better)
            called |= {arm: state} if state else {}
    return called


def _by_all_pairs(
    differences: Mapping[str, Differences],
    ended: Mapping[str, State],
    plan: SweepPlan,
    higher_is_better: bool,
) -> dict[str, State]:
    """The state of each arm. One that ended by a call which is withheld since is open again."""
    seen = _readings(differences, plan, higher_is_better=higher_is_better)
    states = {}
    for arm, d in differences.items():
        is_withheld, state = seen[arm].is_withheld, ended.get(arm)
        if state is None or (is_withheld and state.word in _CALLS):
            word: Word = "open" if len(d) < plan.max_seeds else "at the cap"
            state = State(word, len(d), is_withheld=is_withheld)
        states[arm] = state
    return states


def _state(
    found: Looks, p_adjusted: float, seeds: int, plan: SweepPlan, higher_is_better: bool
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
def _look(values: tuple[float, ...], margin: float | None) -> Looks | None:
    """The evidence of an arm; None without a pair, and where nobody knows what a guess has."""
    if not values or any(math.isnan(x) for x in values):
        return None
    return look(np.array(values, dtype=np.float64), margin=margin, scale=100.0)


def _chance(
    arm: str, values: tuple[float, ...], seeds: int, num_open: int, plan: SweepPlan
) -> float:
    """The chance of a verdict within the cap; its random numbers follow from plan, arm and n."""
    if any(math.isnan(x) for x in values):
        return 0.0  # a verdict will be withheld whatever comes
    text = "\n".join([*plan.arms, arm, str(seeds), str(plan.max_seeds)])
    return _chance_of(
        values,
        plan.max_seeds - seeds,
        max(1, num_open) / plan.alpha,
        plan.alpha,
        plan.margin,
        zlib.crc32(text.encode(errors="replace")),
    )


@functools.lru_cache(maxsize=4096)
def _chance_of(
    values: tuple[float, ...],
    more: int,
    threshold: float,
    alpha: float,
    margin: float | None,
    rng_seed: int,
) -> float:
    return chance_of_verdict(
        np.array(values, dtype=np.float64),
        more=more,
        threshold=threshold,
        alpha=alpha,
        margin=margin,
        rng_seed=rng_seed,
    )


def _trained(d: Differences) -> tuple[float, ...]:
    """The differences of the pairs whose runs both trained."""
    return tuple(x for x in d if x is not None and not isinstance(x, Lost))


def _counted(d: Differences) -> tuple[float, ...]:
    """The differences where lost runs count as a guess."""
    values = (x.counted if isinstance(x, Lost) else x for x in d)
    return tuple(x for x in values if x is not None)
