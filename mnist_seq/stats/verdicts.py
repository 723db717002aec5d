"""Turns comparisons into verdicts in words, by a rule declared before anybody sees the results."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mnist_seq.stats.comparison import Comparison
from mnist_seq.stats.corrections import Correction, adjust
from mnist_seq.stats.intervals import Interval
from mnist_seq.stats.power import MOST_SEEDS, needed_noncentrality, seeds_needed
from mnist_seq.stats.samples import check_fraction
from mnist_seq.stats.tost import Equivalence, equivalence

Test = Literal["t", "permutation"]
Word = Literal[
    "better",
    "worse",
    "equivalent",
    "not distinguishable",
    "withheld",
    "so far",
    "no baseline",
    "too few seeds",
]


@dataclass(frozen=True)
class Rule:
    """The rule for verdicts; declared once for a family of comparisons.

    1. "better" or "worse": the adjusted p of `test` is below alpha, and the interval excludes 0.
    2. Otherwise "equivalent": a margin is declared, and both one-sided tests (TOST) reject at
       alpha. Their p is not adjusted: the verdict then agrees with the 90 % interval shown.
    3. Otherwise "not distinguishable" at this n.

    Attributes:
        test: "t" (paired t-test, or Welch's if unpaired) or "permutation".
        correction: correction of p over the family: "holm", "bh" or "none".
        alpha: level of the tests; .05 goes with 95 % intervals.
        power: power for which the number of needed seeds is computed.
        margin: smallest difference that matters, in the unit of the metric; None declares none.
        unit: written after differences, such as "points" for percentage points.
        decimals: of differences and their intervals, in verdicts and tables.
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
    """The verdict on one comparison: a word, a sentence, and the numbers behind both.

    Attributes:
        word: for a table.
        text: for a reader, with the evidence.
        p, p_adjusted: p of the rule's test before and after the correction; NaN where nothing could
            be compared.
        needed_seeds: seeds in all (of each side, if unpaired) that would show the difference seen.
            None if decided, if above 1,000, or if the caller says why not; the text says which.
        is_within_margin: whether the difference is shown to be within the margin, whatever `word`.
        equivalence: the tests against the margin; None without a margin.
        is_anytime: whether it holds at any number of looks, by an e-value; else for one look.
        decided_at: number of seeds at which an e-value first made this call; 0 if it made none.
    """

    word: Word
    text: str
    p: float
    p_adjusted: float
    needed_seeds: int | None
    is_within_margin: bool
    equivalence: Equivalence | None
    is_anytime: bool = False
    decided_at: int = 0


def judge(
    comparisons: Sequence[Comparison], rule: Rule, *, instead: Sequence[str] | None = None
) -> list[Verdict]:
    """Verdicts on a family of comparisons, in the order given.

    Args:
        comparisons: the whole family. A variant that could not be compared does not belong to it
            and gets `no_verdict`.
        instead: for each comparison, what is said instead of a number of seeds; "" for that number.

    Raises:
        ValueError: an unknown correction, or a margin that is not positive.
    """
    p = np.array([p_of(c, rule.test) for c in comparisons], dtype=np.float64)
    adjusted = adjust(p, rule.correction)
    return [
        verdict(c, rule, p_adjusted=float(q), family_size=len(comparisons), instead=said)
        for c, q, said in zip(
            comparisons, adjusted, instead or [""] * len(comparisons), strict=True
        )
    ]


def verdict(
    comparison: Comparison,
    rule: Rule,
    *,
    p_adjusted: float,
    family_size: int = 1,
    instead: str = "",
) -> Verdict:
    """Verdict on one comparison whose adjusted p is known; `judge` computes that for a family.

    Args:
        p_adjusted: p of the rule's test, adjusted over a family of `family_size`.
        instead: what is said instead of the number of seeds that would show the difference.

    Raises:
        ValueError: p_adjusted outside 0..1, or a margin that is not positive.
    """
    if not 0 <= p_adjusted <= 1:
        raise ValueError(f"p_adjusted lies in 0..1, but is {p_adjusted}; take it from adjust()")
    p = p_of(comparison, rule.test)
    tost = None
    if rule.margin is not None:
        tost = equivalence(comparison, rule.margin, alpha=rule.alpha)
    is_small = tost is not None and tost.is_equivalent
    evidence = _evidence(comparison, rule, p_adjusted, family_size)
    if tost is not None and is_small:
        evidence = f"{tost_text(tost, rule)}; {evidence}"
    if p_adjusted < rule.alpha and comparison.interval.excludes(0.0):
        gains = (comparison.difference > 0) == comparison.higher_is_better
        word: Word = "better" if gains else "worse"
        size = f"{word} by {size_text(abs(comparison.difference), rule)}"
        aside = f", but within the margin of {margin_text(rule)}" if is_small else ""
        return Verdict(word, f"{size}{aside} ({evidence})", p, p_adjusted, None, is_small, tost)
    if is_small:
        text = (
            f"equivalent within {margin_text(rule)}: difference "
            f"{size_text(comparison.difference, rule)} ({evidence})"
        )
        return Verdict("equivalent", text, p, p_adjusted, None, True, tost)
    needed = None if instead else _needed(comparison, rule, family_size)
    advice = instead or advice_text(comparison, needed)
    text = (
        f"undecided at n={comparison.n_text}: difference "
        f"{size_text(comparison.difference, rule)}, {advice} ({evidence})"
    )
    return Verdict("not distinguishable", text, p, p_adjusted, needed, False, tost)


def said(word: str) -> str:
    """The word of a verdict as people read it: "undecided" for "not distinguishable"."""
    return "undecided" if word == "not distinguishable" else word


def no_verdict(word: Literal["no baseline", "too few seeds"], n: int) -> Verdict:
    """Verdict on a variant that cannot be compared: no baseline, or n < 2 common seeds."""
    text = {
        "no baseline": f"no baseline to compare its n={n} seeds with",
        "too few seeds": f"too few seeds: a comparison needs 2 on both sides, there is n={n}",
    }[word]
    return Verdict(word, text, math.nan, math.nan, None, False, None)


def stands(first: Word, second: Word, growth: float) -> bool:
    """Whether a verdict on the runs that trained also stands where lost runs count as a guess.

    It does where both readings have one word, and the difference is still on its side: an e-value
    keeps a call that later seeds turned round. One guess among good runs spreads the differences:
    "better" and "worse" also stand where the second is undecided, with a larger difference.

    Args:
        first, second: words on the runs that trained, and on all.
        growth: difference of the second reading, as a multiple of that of the first.
    """
    if first not in ("better", "worse"):
        return first == second
    return growth > 0 if first == second else second == "not distinguishable" and growth >= 1


def p_of(comparison: Comparison, test: Test) -> float:
    """The unadjusted p of the declared test."""
    return comparison.p_t if test == "t" else comparison.p_permutation


def strictest_alpha(rule: Rule, family_size: int) -> float:
    """The level of the smallest p of a family: alpha / family_size where p is corrected."""
    return rule.alpha if rule.correction == "none" else rule.alpha / family_size


def detectable_at(c: Comparison, rule: Rule, family_size: int) -> float:
    """Smallest true difference that a t-test at these n and spreads shows at `strictest_alpha`.

    It stands on the same footing as the number of needed seeds.
    """
    alpha = round(strictest_alpha(rule, family_size), 12)
    return needed_noncentrality(c.df, alpha, rule.power) * c.standard_error


def _needed(c: Comparison, rule: Rule, family_size: int) -> int | None:
    """Number of seeds that would show the observed difference; always more than there are.

    It is computed at `strictest_alpha`. The level for this comparison depends on the p values of
    the others.
    """
    alpha = strictest_alpha(rule, family_size)
    needed = seeds_needed(c.difference, c.spread, alpha=alpha, power=rule.power, paired=c.is_paired)
    if needed is None:
        return None
    if rule.test == "permutation" or c.standard_error == 0:
        needed = max(needed, _seeds_to_reach(alpha, c.is_paired))
    return max(needed, c.n + 1)


def _seeds_to_reach(alpha: float, is_paired: bool) -> int:
    """Smallest number of seeds (of each side, if unpaired) with a permutation floor below alpha."""
    n = 2
    while (2.0 ** (1 - n) if is_paired else 2 / math.comb(2 * n, n)) >= alpha:
        n += 1
    return n


def advice_text(c: Comparison, needed: int | None) -> str:
    """How many more seeds would show the observed difference, in words."""
    if needed is None:
        return (
            f"which it would take more than {MOST_SEEDS:,} seeds to show (no evidence that the "
            "true difference is small)"
        )
    more = needed - c.n
    noun = "seed" if more == 1 else "seeds"
    side = "" if c.is_paired else " a side"
    return f"needs about {more} more {noun}{side} to show the observed difference"


def _evidence(c: Comparison, rule: Rule, p_adjusted: float, family_size: int) -> str:
    """Interval, p with its correction, and n, in words."""
    spread = "the same at every seed"
    if c.interval.kind != "constant":
        spread = range_text(c.interval, rule)
    over = over_text(rule, family_size)
    floor = c.permutation_floor
    is_permuted = rule.test == "permutation" or c.standard_error == 0
    how = f" by {c.permutation}" if is_permuted else ""
    is_out_of_reach = is_permuted and floor >= rule.alpha
    note = f"; no p below {floor:.3g} at this n" if is_out_of_reach else ""
    return f"{spread}, {p_text(p_adjusted)}{over}{how}{note}, n={c.n_text}"


def tost_text(test: Equivalence, rule: Rule) -> str:
    """p of the tests against the margin, and their interval."""
    spread = "" if test.interval.kind == "constant" else f", {range_text(test.interval, rule)}"
    return f"TOST {p_text(test.p)}{spread}"


def over_text(rule: Rule, family_size: int) -> str:
    """The correction and the size of the family: " Holm over 8"; "" without a correction."""
    name = {"holm": "Holm", "bh": "BH", "none": ""}[rule.correction]
    return f" {name} over {family_size}" if name else ""


def range_text(i: Interval, rule: Rule) -> str:
    """Level, kind and ends of an interval."""
    d = rule.decimals
    return f"{100 * i.level:g} % {i.kind}-interval {i.low:.{d}f} to {i.high:.{d}f}"


def size_text(difference: float, rule: Rule) -> str:
    """A difference with its unit."""
    return f"{difference:.{rule.decimals}f}{unit_text(rule)}"


def unit_text(rule: Rule) -> str:
    """The unit with a space before it; "" without a unit."""
    return f" {rule.unit}" if rule.unit else ""


def margin_text(rule: Rule) -> str:
    """The declared margin with its unit: "0.5 points", "1 point"; "none" without one."""
    if rule.margin is None:
        return "none"
    unit = unit_text(rule)
    return f"{rule.margin:g}{unit.removesuffix('s') if rule.margin == 1 else unit}"


def p_text(p: float) -> str:
    """A p value with three digits."""
    return "p<.0001" if p < 1e-4 else f"p={p:.3g}"
