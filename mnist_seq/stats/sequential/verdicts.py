"""Verdicts by e-values: they hold at any number of looks, and at any number of seeds."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mnist_seq.stats.comparison import Comparison
from mnist_seq.stats.corrections import adjust
from mnist_seq.stats.intervals import Interval
from mnist_seq.stats.sequential.evalues import Kind
from mnist_seq.stats.sequential.looks import SEQUENCE, Looks
from mnist_seq.stats.sequential.outlook import fewest_seeds, seeds_for_call
from mnist_seq.stats.tost import Equivalence
from mnist_seq.stats.verdicts import (
    Rule,
    Verdict,
    Word,
    advice_text,
    margin_text,
    over_text,
    p_of,
    p_text,
    range_text,
    size_text,
    verdict,
)


def judge_looks(
    comparisons: Sequence[Comparison],
    looks: Sequence[Looks | None],
    rule: Rule,
    *,
    num_unseen: int = 0,
    is_planned: Sequence[bool] | None = None,
    instead: Sequence[str] | None = None,
) -> list[Verdict]:
    """Verdicts on a family, some of whose comparisons were looked at more than once.

    Args:
        comparisons: the whole family, but for those without a comparison yet.
        looks: the e-values of each comparison; None where its one look was planned at this number
            of seeds, so that the rule's own test holds.
        num_unseen: planned comparisons that have no seeds yet. They count in the correction: a
            family does not shrink because somebody looks early.
        is_planned: for each comparison without looks, whether it has a plan. Seeds that are added
            to a plan are read by an e-value, so the advice on seeds is that of the e-value.
        instead: for each comparison, what is said instead of a number of seeds; "" for that number.

    Raises:
        ValueError: an unknown correction, or a margin that is not positive.
    """
    p = [p_of(c, rule.test) if e is None else e.p for c, e in zip(comparisons, looks, strict=True)]
    adjusted = adjust(np.array(p + [1.0] * num_unseen, dtype=np.float64), rule.correction)
    found = []
    for c, e, q, has_plan, said in zip(
        comparisons,
        looks,
        adjusted[: len(p)],
        is_planned or [False] * len(p),
        instead or [""] * len(p),
        strict=True,
    ):
        if e is None:
            family_size, needed, advice = len(adjusted), None, said
            if has_plan and c.is_paired and not said:
                needed = _needed(c, rule, family_size)
                advice = advice_text(c, needed)
            made = verdict(c, rule, p_adjusted=float(q), family_size=family_size, instead=advice)
            is_open = needed is not None and made.word == "not distinguishable"
            found.append(replace(made, needed_seeds=needed) if is_open else made)
        else:
            found.append(_verdict(c, e, rule, float(q), len(adjusted), instead=said))
    return found


def _verdict(
    c: Comparison, e: Looks, rule: Rule, p_adjusted: float, family_size: int, *, instead: str
) -> Verdict:
    tost = _equivalence(e, rule)
    is_small = tost is not None and tost.is_equivalent
    evidence = _evidence(e, rule, p_adjusted, family_size)
    if tost is not None and is_small:
        evidence = f"anytime-valid TOST {p_text(tost.p)}; {evidence}"
    if p_adjusted <= rule.alpha:
        gains = (e.difference > 0) == c.higher_is_better
        word: Word = "better" if gains else "worse"
        at = e.decided_at(p_adjusted / e.p / rule.alpha) or e.n
        aside = f", but within the margin of {margin_text(rule)}" if is_small else ""
        text = (
            f"{word} by {size_text(_size(c, e), rule)}{aside} ({evidence}; decided at {at} seeds)"
        )
        return Verdict(word, text, e.p, p_adjusted, None, is_small, tost, True, at)
    if is_small:
        text = (
            f"equivalent within {margin_text(rule)}: difference "
            f"{size_text(c.difference, rule)} ({evidence})"
        )
        return Verdict("equivalent", text, e.p, p_adjusted, None, True, tost, True)
    needed = None if instead else _needed(c, rule, family_size)
    advice = instead or advice_text(c, needed)
    text = (
        f"undecided at n={c.n_text}: difference {size_text(c.difference, rule)}, "
        f"{advice} ({evidence})"
    )
    return Verdict("not distinguishable", text, e.p, p_adjusted, needed, False, tost, True)


def _size(c: Comparison, e: Looks) -> float:
    """Size of the difference on the side of the call; negative where it has changed sides since."""
    return c.difference if e.difference > 0 else -c.difference


def _equivalence(e: Looks, rule: Rule) -> Equivalence | None:
    if rule.margin is None:
        return None
    none = Interval(math.nan, math.nan, round(1 - 2 * rule.alpha, 12), SEQUENCE)
    return Equivalence(rule.margin, e.p_equivalence, none, e.p_equivalence <= rule.alpha)


def _evidence(e: Looks, rule: Rule, p_adjusted: float, family_size: int) -> str:
    """Confidence sequence, p with its correction, and n, in words."""
    kind = " by sign flips" if e.kind == "sign flips" else ""
    fewest = fewest_seeds(max(1, family_size), alpha=rule.alpha, kind=e.kind)
    spread = "no interval yet"
    if not math.isnan(e.interval.low):
        spread = range_text(e.interval, rule).replace("-interval", "")
    note = f"; no call is possible before {fewest} seeds" if e.n < fewest else ""
    over = over_text(rule, family_size)
    return f"{spread}, anytime-valid {p_text(p_adjusted)}{over}{kind}{note}, n={e.n}"


def _needed(c: Comparison, rule: Rule, family_size: int) -> int | None:
    """Number of seeds at which an e-value would call the observed effect; more than there are."""
    size = 1 if rule.correction == "none" else family_size
    kind: Kind = "mixture" if rule.test == "t" else "sign flips"
    return seeds_for_call(c.effect_size, size / rule.alpha, at_least=c.n + 1, kind=kind)
