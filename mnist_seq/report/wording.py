"""Writes the sentences and the numbers of a report, for all renderings alike."""

import math
from collections import Counter
from collections.abc import Sequence

from mnist_seq.report.read.collect import Collected
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.texts import words
from mnist_seq.report.value import Variant
from mnist_seq.runs.text import plural
from mnist_seq.stats import Comparison, PairedComparison, Posterior, Rule, margin_text

_MAX_LISTED = 6  # most texts in one sentence
NONE = "\N{EN DASH}"
_ADJUSTED = {"holm": "Holm-adjusted ", "bh": "Benjamini-Hochberg-adjusted ", "none": "unadjusted "}


def number(value: float, decimals: int) -> str:
    """A number with this many decimals; a dash for NaN."""
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.{decimals}f}"


def span(low: float, high: float, decimals: int) -> str:
    """The ends of an interval; a dash for NaN."""
    if math.isnan(low) or math.isnan(high):
        return NONE
    return f"{number(low, decimals)} to {number(high, decimals)}"


def small(value: float) -> str:
    """A number of any size with three significant digits."""
    return NONE if math.isnan(value) else f"{value:.3g}"


def listed(texts: Sequence[str]) -> str:
    """The first texts of many, and the number of the others; texts may have commas."""
    more = f" and {len(texts) - _MAX_LISTED} more" if texts[_MAX_LISTED:] else ""
    return "; ".join(texts[:_MAX_LISTED]) + more


def signed(value: float, decimals: int) -> str:
    """A difference, always with a sign."""
    return f"+{number(value, decimals)}" if value > 0 else number(value, decimals)


def p_value(p: float) -> str:
    """A p value with three digits: 0.0496 must not read as the 0.05 that it is below."""
    if math.isnan(p):
        return NONE
    return "<.0001" if p < 1e-4 else f"{p:.3g}"


def count(value: float) -> str:
    """A whole number with thousands separators; a mean is rounded."""
    return NONE if math.isnan(value) else f"{value:,.0f}"


def n_text(variant: Variant) -> str:
    """The number of runs that count, and the fate of the others: "7 of 8, 1 diverged"."""
    lost = [
        f"{getattr(variant, state)} {state}"
        for state in ("diverged", "failed", "interrupted", "unreadable")
        if getattr(variant, state)
    ]
    of = f" of {variant.planned}" if lost else ""
    stuck = [f"{variant.not_learning} not shown to learn"] if variant.not_learning else []
    return ", ".join([f"{variant.n}{of}", *lost, *stuck])


def percent(level: float) -> str:
    """A level as "95 %"."""
    return f"{100 * level:g} %"


def rule_text(rule: Rule, level: float, variants: Sequence[Variant]) -> str:
    """The declared rule in words, and how p was counted in these comparisons."""
    kinds = [v.compared.kind for v in variants if v.compared]
    if "anytime" not in kinds:
        once = "" if "one look" not in kinds else (
            ". Each verdict holds for one look at this number of seeds: no plan was recorded "
            "before the runs, or their seeds do not pair"
        )  # fmt: skip
        return (
            f"{_by_test(rule, level, variants)}{_else(rule, 'two one-sided tests', variants)}{once}"
        )
    text = f"{_by_e_value(rule, level)}{_else(rule, 'two one-sided e-values', variants)}"
    if others := [kind for kind in kinds if kind != "anytime"]:
        planned = "at their planned number of seeds" if "planned" in others else "without a plan"
        text += (
            f". The {plural(len(others), 'comparison')} {planned}: "
            f"{_by_test(rule, level, variants).removesuffix('; ')}"
        )
    return text


def _by_test(rule: Rule, level: float, variants: Sequence[Variant]) -> str:
    kinds = dict.fromkeys(v.compared.comparison.permutation for v in variants if v.compared)
    counted = f" ({', '.join(kinds)})" if kinds else ""
    test = {"t": "paired t-test (Welch where seeds do not pair)",
            "permutation": f"permutation test{counted}"}[rule.test]  # fmt: skip
    return (
        f"better or worse: the {_ADJUSTED[rule.correction]}p of the {test} is below "
        f"{rule.alpha:g} and the "
        f"{percent(level)} interval of the difference excludes 0; "
    )


def _by_e_value(rule: Rule, level: float) -> str:
    e_value = {
        "t": "e-value of the Gaussian-mixture t, for differences close to normal",
        "permutation": "e-value of sign flips, for differences of any symmetric shape",
    }[rule.test]
    normal = "" if rule.test == "t" else ", for differences close to normal,"
    return (
        f"better or worse: the {_ADJUSTED[rule.correction]}anytime-valid p, 1 / (largest e so "
        f"far), is at most {rule.alpha:g}; it is valid however often this was looked at and "
        f"whenever seeds were added ({e_value}); the {percent(level)} confidence sequence{normal} "
        "covers the difference at all looks together, while an estimate at a stop leans outward; "
    )


def _else(rule: Rule, tests: str, variants: Sequence[Variant]) -> str:
    """How "equivalent" and "undecided" are told apart."""
    if rule.margin is None:
        text = "no margin was declared, so nothing is called equivalent; "
    else:
        text = f"else equivalent: {tests} show a difference of less than {margin_text(rule)}; "
    text += "else undecided at this n"
    if any(trained(v) for v in variants):
        text += (
            "; withheld: runs diverged or failed, and the word is another one where each of them "
            "counts as a guess"
        )
    return text


def looks_text(rule: Rule, variants: Sequence[Variant]) -> str:
    """How often one may look at these verdicts, in a sentence; "" where no plan says so."""
    kinds = Counter(v.compared.kind for v in variants if v.compared)
    if kinds["anytime"]:
        num, total = kinds["anytime"], sum(kinds.values())
        of = "" if num == total else f" ({num} of {plural(total, 'comparison')})"
        shape = "close to normal" if rule.test == "t" else "of any symmetric shape"
        return (
            f"verdicts by e-values{of}: valid however often this was looked at, for differences "
            f"{shape}"
        )
    if kinds["planned"] and not kinds["one look"]:
        return "verdicts by one look at the planned number of seeds"
    return ""


def trained(variant: Variant) -> str:
    """How many runs trained, of those that ended: "5 of 8"; "" where all did."""
    lost = variant.diverged + variant.failed
    return f"{variant.n} of {variant.n + lost}" if lost else ""


def verdict_cell(variant: Variant) -> str:
    """The word of the verdict, and how many runs trained where not all did."""
    of = trained(variant)
    word = words.verdict(variant)
    return f"{word}, {of} trained" if of else word


def difference_cell(variant: Variant, decimals: int) -> str:
    """The difference to the baseline, with its pairs where they are not all of the n runs."""
    if variant.compared is None:
        return NONE
    comparison = variant.compared.comparison
    text = signed(comparison.difference, decimals)
    is_part = comparison.is_paired and comparison.n != variant.n
    return f"{text} ({plural(comparison.n, 'pair')})" if is_part else text


def p_better(comparison: Comparison) -> str:
    """Share of seeds with the variant better, with its interval where seeds pair."""
    text = number(comparison.p_better, 2)
    if not isinstance(comparison, PairedComparison):
        return text
    ends = comparison.p_better_interval
    return f"{text} ({span(ends.low, ends.high, 2)})"


def posterior(found: Posterior | None) -> str:
    """Probabilities of better, practically equal and worse: "0.97/0.03/0.00"."""
    if found is None:
        return NONE
    return "/".join(number(p, 2) for p in (found.better, found.equal, found.worse))


def means_text(comparison: Comparison, n: int, n_base: int, metric: Metric) -> str:
    """Means over the pairs, where some of the n runs of either side are in no pair; else ""."""
    if not isinstance(comparison, PairedComparison) or comparison.n == n == n_base:
        return ""
    a, b = (number(mean, metric.decimals) for mean in (comparison.mean_a, comparison.mean_b))
    return f"; over these {comparison.n} pairs the means are {a} and {b} {metric.unit}".rstrip()


def counts(variants: Sequence[Variant], collected: Collected) -> str:
    """The runs of the comparison by state, and the skipped folders."""
    names = ("diverged", "failed", "interrupted", "unreadable")
    lost = {name: sum(getattr(v, name) for v in variants) for name in names}
    total = sum(v.planned for v in variants)
    text = f"{sum(v.n for v in variants)} finished of {plural(total, 'run')}"
    lost["not shown to learn"] = sum(v.not_learning for v in variants)
    parts = [f"{number} {name}" for name, number in lost.items() if number]
    parts += [f"{plural(len(collected.skipped), 'folder')} skipped"] if collected.skipped else []
    ranked = ["arms by the size of their effect"] if any(v.change for v in variants) else []
    counted = [", ".join(parts)] if parts else []
    of = plural(len(variants), "variant")
    return "; ".join([f"{text} in {of}", *counted, *ranked])
