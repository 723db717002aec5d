"""What a comparison says in words, by a rule that is declared before anyone looks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mnist_seq.stats.comparison import Comparison
from mnist_seq.stats.intervals import Interval
from mnist_seq.stats.multiple import Correction, adjust
from mnist_seq.stats.power import MOST_SEEDS, seeds_needed
from mnist_seq.stats.samples import check_fraction
from mnist_seq.stats.tost import Equivalence, equivalence

Test = Literal["t", "permutation"]
Word = Literal[
    "better", "worse", "equivalent", "not distinguishable", "no baseline", "too few seeds"
]


@dataclass(frozen=True)
class Rule:
    """What is called a difference; declared once for a family of comparisons.

    1. better or worse: the adjusted p of `test` is below alpha and the interval excludes 0;
    2. else equivalent: a margin is declared and both one-sided tests (TOST) reject at alpha; their
       p is not adjusted, so that the verdict agrees with the 90 % interval that is shown;
    3. else not distinguishable at this n.

    Attributes:
        test: "t" (paired, or Welch where seeds do not pair) or "permutation".
        alpha: for a 95 % interval .05.
        power: of the number of seeds that an undecided verdict asks for.
        margin: smallest difference that matters, in the metric's unit; without one nothing is
            equivalent.
        unit: written behind differences, "points" for percentage points.
        decimals: of differences and their intervals, in words as in tables.
    """

    test: Test = "t"
    correction: Correction = "holm"
    alpha: float = 0.05
    power: float = 0.8
    margin: float | None = None
    unit: str = ""
    decimals: int = 2

    def __post_init__(self) -> None:
        check_fraction("alpha", self.alpha)
        check_fraction("power", self.power)
        if self.test not in ("t", "permutation"):
            raise ValueError(f"a test is t or permutation, but is {self.test!r}; choose one")


@dataclass(frozen=True)
class Verdict:
    """A word for a table, a sentence for a reader, and the numbers behind both.

    Attributes:
        p, p_adjusted: of the rule's test; NaN where nothing could be compared.
        needed_seeds: total seeds (a side, if unpaired) that would show the observed difference;
            None where the verdict is decided, where it is more than 1,000 and where neither side
            has learnt (the text says so).
        is_within_margin: shown to be smaller than the margin, whatever the word.
        equivalence: the tests against the margin, if one is declared.
    """

    word: Word
    text: str
    p: float
    p_adjusted: float
    needed_seeds: int | None
    is_within_margin: bool
    equivalence: Equivalence | None


def judge(
    comparisons: Sequence[Comparison], rule: Rule, *, learns: Sequence[bool] | None = None
) -> list[Verdict]:
    """Verdicts on a family of comparisons, in the order given.

    Args:
        comparisons: all that the rule's correction runs over; a variant without a comparison is no
            member and gets `no_verdict`.
        learns: of each, whether some run of either side has learnt; all of them where not said.

    Raises:
        ValueError: an unknown correction, or a margin that is not positive.
    """
    p = np.array([p_of(c, rule.test) for c in comparisons], dtype=np.float64)
    adjusted = adjust(p, rule.correction)
    return [
        verdict(c, rule, p_adjusted=float(q), family_size=len(comparisons), learns=learnt)
        for c, q, learnt in zip(
            comparisons, adjusted, learns or [True] * len(comparisons), strict=True
        )
    ]


def verdict(
    comparison: Comparison,
    rule: Rule,
    *,
    p_adjusted: float,
    family_size: int = 1,
    learns: bool = True,
) -> Verdict:
    """Verdict on one comparison whose p is adjusted already; `judge` does both for a family.

    Args:
        p_adjusted: of the rule's test, over a family of `family_size`.
        learns: whether some run of either side has learnt; without, no seeds are advised.

    Raises:
        ValueError: p_adjusted outside 0..1, or a margin that is not positive.
    """
    if not 0 <= p_adjusted <= 1:
        raise ValueError(f"p_adjusted lies in 0..1, but is {p_adjusted}; take it from adjust()")
    p = p_of(comparison, rule.test)
    close = None
    if rule.margin is not None:
        close = equivalence(comparison, rule.margin, alpha=rule.alpha)
    is_close = close is not None and close.is_equivalent
    evidence = _evidence(comparison, rule, p_adjusted, family_size)
    if close is not None and is_close:
        evidence = f"{_closeness(close, rule)}; {evidence}"
    if p_adjusted < rule.alpha and comparison.interval.excludes(0.0):
        gains = (comparison.difference > 0) == comparison.higher_is_better
        word: Word = "better" if gains else "worse"
        size = f"{word} by {_size(abs(comparison.difference), rule)}"
        aside = f", but within the margin of {rule.margin:g}{_unit(rule)}" if is_close else ""
        return Verdict(word, f"{size}{aside} ({evidence})", p, p_adjusted, None, is_close, close)
    if is_close:
        text = (
            f"equivalent within {rule.margin:g}{_unit(rule)}: difference "
            f"{_size(comparison.difference, rule)} ({evidence})"
        )
        return Verdict("equivalent", text, p, p_adjusted, None, True, close)
    needed = _needed(comparison, rule, family_size) if learns else None
    plea = _plea(comparison, needed) if learns else "and no run of either side learns"
    text = (
        f"not distinguishable at n={comparison.n_text}: difference "
        f"{_size(comparison.difference, rule)}, {plea} ({evidence})"
    )
    return Verdict("not distinguishable", text, p, p_adjusted, needed, False, close)


def no_verdict(word: Literal["no baseline", "too few seeds"], n: int) -> Verdict:
    """Verdict on a variant that cannot be compared: no baseline, or n < 2 common seeds."""
    text = {
        "no baseline": f"no baseline to compare its n={n} seeds with",
        "too few seeds": f"too few seeds: a comparison needs 2 on both sides, there is n={n}",
    }[word]
    return Verdict(word, text, math.nan, math.nan, None, False, None)


def p_of(comparison: Comparison, test: Test) -> float:
    """The unadjusted p of the declared test."""
    return comparison.p_t if test == "t" else comparison.p_permutation


def _needed(c: Comparison, rule: Rule, family_size: int) -> int | None:
    """Seeds that would show the observed difference, always more than there are.

    Under a correction at alpha / family_size, the strictest that it asks of any comparison: what
    it asks of this one is known only once the seeds are there.
    """
    alpha = rule.alpha if rule.correction == "none" else rule.alpha / family_size
    needed = seeds_needed(c.difference, c.spread, alpha=alpha, power=rule.power, paired=c.is_paired)
    if needed is None:
        return None
    if rule.test == "permutation" or c.standard_error == 0:
        needed = max(needed, _seeds_to_reach(alpha, c.is_paired))
    return max(needed, c.n + 1)


def _seeds_to_reach(alpha: float, is_paired: bool) -> int:
    """Fewest seeds (a side, if unpaired) at which a permutation test can come out below alpha."""
    n = 2
    while (2.0 ** (1 - n) if is_paired else 2 / math.comb(2 * n, n)) >= alpha:
        n += 1
    return n


def _plea(c: Comparison, needed: int | None) -> str:
    if needed is None:
        return f"so small that it needs more than {MOST_SEEDS:,} seeds"
    more = needed - c.n
    noun = "seed" if more == 1 else "seeds"
    side = "" if c.is_paired else " a side"
    return f"needs about {more} more {noun}{side} to show the observed difference"


def _evidence(c: Comparison, rule: Rule, p_adjusted: float, family_size: int) -> str:
    spread = "the same at every seed"
    if c.interval.kind != "constant":
        spread = _range(c.interval, rule)
    names = {"holm": "Holm", "bh": "BH", "none": ""}
    over = f" {names[rule.correction]} over {family_size}" if names[rule.correction] else ""
    floor = c.permutation_floor
    is_permuted = rule.test == "permutation" or c.standard_error == 0
    how = f" by {c.permutation}" if is_permuted else ""
    is_hopeless = is_permuted and floor >= rule.alpha
    note = f"; no p below {floor:.3g} at this n" if is_hopeless else ""
    return f"{spread}, {_p(p_adjusted)}{over}{how}{note}, n={c.n_text}"


def _closeness(close: Equivalence, rule: Rule) -> str:
    spread = "" if close.interval.kind == "constant" else f", {_range(close.interval, rule)}"
    return f"TOST {_p(close.p)}{spread}"


def _range(i: Interval, rule: Rule) -> str:
    d = rule.decimals
    return f"{100 * i.level:g} % {i.kind}-interval {i.low:.{d}f} to {i.high:.{d}f}"


def _size(difference: float, rule: Rule) -> str:
    return f"{difference:.{rule.decimals}f}{_unit(rule)}"


def _unit(rule: Rule) -> str:
    return f" {rule.unit}" if rule.unit else ""


def _p(p: float) -> str:
    return "p<.0001" if p < 1e-4 else f"p={p:.3g}"
