"""Judges variants against each other; runs that diverged or failed get a second reading.

The first reading compares the runs that trained. The second counts each run that diverged or failed
as a guess. Where the two disagree, the verdict hangs on runs that are left out, and is withheld:
`stats.stands` has the rule.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from mnist_seq.report.analyse.comparisons import Found, compare_as_read
from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.analyse.guess import Guess
from mnist_seq.report.analyse.readings import Plans
from mnist_seq.report.options import Options
from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.value import Second
from mnist_seq.stats import Rule, Verdict, adjust, fisher_p, no_verdict, said, stands
from mnist_seq.stats.sequential.verdicts import judge_looks

Pair = tuple[int, int]  # positions of a variant and of what it is compared with
MOST_PAIRS = 1_000  # more are no longer read, and corrected away
LOST = ("diverged", "failed")  # states that a second reading counts as a guess


@dataclass(frozen=True)
class Judged:
    """The verdict on a variant, and what it rests on.

    Attributes:
        found: the comparison of the runs that trained; None where there are too few.
        second: the second reading; None where no run of either side diverged or failed.
        p_diverged: Fisher's p that variant and baseline diverge equally often, adjusted over all
            comparisons; NaN where no run diverged.
        family_size: number of comparisons that p is corrected over, planned ones too.
    """

    verdict: Verdict
    found: Found | None = None
    second: Second | None = None
    p_diverged: float = math.nan
    family_size: int = 0


def judged(
    groups: Sequence[Group],
    metric: Metric,
    rule: Rule,
    options: Options,
    stuck: Mapping[Path, str],
    guess: Guess,
    plans: Plans,
    undone: str,
) -> dict[Pair, Judged]:
    """Verdicts on each variant and its baseline; with `pairs=all`, on every pair of variants.

    Corrections cover the comparisons that exist, and those of their plans that have no seeds yet or
    are left out: a family does not shrink because somebody looks early.

    Args:
        stuck: finished runs that are not shown to learn: folder -> reason.
        guess: what counts for a run that diverged or failed, in the second reading.
        plans: how each comparison may be read.
        undone: how many runs of the sweep are not done; "" if all are, or if that was allowed.

    Raises:
        CannotCompare: too many pairs.
    """
    sides = {pair: (groups[pair[0]], groups[pair[1]]) for pair in _pairs(groups, options)}
    first = _reading(sides, metric, rule, options, stuck, plans, fill=None)
    fill = guess.of(metric)
    has_lost = any(_num_lost(*pair) for pair in sides.values())
    second = (
        _reading(sides, metric, rule, options, stuck, plans, fill=fill)
        if has_lost and math.isfinite(fill)
        else {}
    )
    frequent = _divergence(sides, rule)
    made = {pair: comparison for pair, (comparison, _) in first.items()}
    family_size = len(first) + _num_unseen(sides, made, plans, options)
    found: dict[Pair, Judged] = {}
    for place, (own, base) in sides.items():
        n = min(len(own.finished), len(base.finished))
        comparison, verdict = first.get(place, (None, no_verdict("too few seeds", n)))
        p = frequent.get(place, math.nan)
        other = None
        if _num_lost(own, base):
            verdict, other = _with_second(
                verdict, comparison, second.get(place), own, base, _written(fill, metric)
            )
            if not math.isnan(p):
                text = f"{verdict.text}; {_fisher(own, base, p, rule, len(sides))}"
                verdict = replace(verdict, text=text)
        verdict = replace(verdict, text=verdict.text + _typical(verdict, own, base, stuck))
        if undone and comparison is not None and comparison.kind == "one look":
            verdict, other, p = _so_far(comparison, metric, undone), None, math.nan
        found[place] = Judged(verdict, comparison, other, p, family_size)
    return found


def _pairs(groups: Sequence[Group], options: Options) -> list[Pair]:
    """Each variant with its baseline, then the other pairs where all are asked for."""
    found = [
        (place, own.baseline)
        for place, own in enumerate(groups)
        if own.baseline is not None and own.baseline != place
    ]
    if options.pairs == "baseline":
        return found
    known = set(found) | {(b, a) for a, b in found}
    found += [(b, a) for a, b in combinations(range(len(groups)), 2) if (b, a) not in known]
    if len(found) > MOST_PAIRS:
        raise CannotCompare(
            f"pairs=all compares at most {MOST_PAIRS:,} pairs, and {len(groups)} variants have "
            f"{len(found):,}; name fewer variants with where=..., or write pairs=baseline"
        )
    return found


def _so_far(found: Found, metric: Metric, undone: str) -> Verdict:
    """No verdict on a sweep that is not complete: what there is, without p."""
    c, unit = found.comparison, f" {metric.points}" if metric.points else ""
    text = (
        f"so far, at n={c.n_text}: difference {c.difference:.{metric.decimals}f}{unit}, and no p, "
        f"since {undone} are not done"
    )
    return Verdict("so far", text, math.nan, math.nan, None, False, None)


def _reading(
    sides: Mapping[Pair, tuple[Group, Group]],
    metric: Metric,
    rule: Rule,
    options: Options,
    stuck: Mapping[Path, str],
    plans: Plans,
    *,
    fill: float | None,
) -> dict[Pair, tuple[Found, Verdict]]:
    """Comparisons and verdicts; where `fill` is given, it counts for each lost run."""
    found = {
        place: made
        for place, (own, base) in sides.items()
        if (
            made := compare_as_read(own, base, metric, plans.read(own, base), rule=rule,
                                    options=options, fill=fill)
        )
    }  # fmt: skip
    instead = [_instead(*sides[place], stuck) for place in found]
    verdicts = judge_looks(
        [made.comparison for made in found.values()],
        [made.looks for made in found.values()],
        rule,
        num_unseen=_num_unseen(sides, found, plans, options),
        is_planned=[made.kind == "planned" for made in found.values()],
        instead=instead,
    )
    return {place: (found[place], v) for place, v in zip(found, verdicts, strict=True)}


def _num_unseen(
    sides: Mapping[Pair, tuple[Group, Group]],
    found: Mapping[Pair, Found],
    plans: Plans,
    options: Options,
) -> int:
    """Number of planned comparisons that are not there, and may come yet or are left out."""
    kinds = {made.kind for made in found.values()}
    if options.over or kinds <= {"one look"}:
        return 0
    is_once = "anytime" not in kinds  # then a variant whose runs have all ended gets none any more
    known = [own for p, (own, _) in sides.items() if p in found or (is_once and plans.is_over(own))]
    unseen, num_groups = plans.num_unseen(known), len({place for pair in sides for place in pair})
    return unseen if options.pairs == "baseline" else unseen * num_groups + math.comb(unseen, 2)


def _instead(own: Group, base: Group, stuck: Mapping[Path, str]) -> str:
    """Why no number of seeds is advised; "" if one is."""
    if all(run.folder in stuck for run in own.finished + base.finished):
        return "and no run of either side is shown to learn"
    return "and no seeds are advised while runs diverge or fail" if _num_lost(own, base) else ""


def _with_second(
    first: Verdict,
    found: Found | None,
    second: tuple[Found, Verdict] | None,
    own: Group,
    base: Group,
    guess: str,
) -> tuple[Verdict, Second | None]:
    """The verdict on runs of which some are lost: both readings, or that it is withheld."""
    among, lost = _among(own, base), _lost(own, base)
    if second is None:
        if first.word not in ("better", "worse", "equivalent"):
            return first, None
        text = f"{first.word} among {among}, and nobody knows what a guess has, to count {lost} as"
        return replace(first, word="withheld", text=f"withheld: {text} ({first.text})"), None
    comparison, verdict = second[0].comparison, second[1]
    growth = comparison.difference / (found.comparison.difference or math.nan) if found else 1.0
    if first.word == verdict.word and not stands(first.word, verdict.word, growth):
        # an e-value keeps a call, and lost runs have turned the difference round since
        verdict = replace(verdict, word="not distinguishable")
    other = Second(first.word, verdict.word, comparison.difference, verdict.p_adjusted)
    counted = f"where {lost} as a guess ({guess})"
    both = f"trained: {first.text}; all: {verdict.text}"
    one, two = said(first.word), said(verdict.word)
    if found is None:
        return replace(first, text=f"{first.text}; {two} {counted}: {verdict.text}"), other
    if one == two:
        return replace(first, text=f"{one} among {among}, and {counted}; {both}"), other
    if stands(first.word, verdict.word, growth):
        further = f"further apart, but more scattered, {counted}"
        return replace(first, text=f"{one} among {among}, {further}; {both}"), other
    text = f"withheld: {one} among {among}, {two} {counted}; {both}"
    return replace(first, word="withheld", text=text), other


def _among(own: Group, base: Group) -> str:
    """The runs of both sides that trained, where some did not: "the 5 of 8 that trained"."""
    if not _num_lost(base):
        return f"the {_trained(own)} that trained"
    return f"the runs that trained, {_trained(own)} and {_trained(base)} of the baseline"


def _trained(group: Group) -> str:
    return f"{len(group.finished)} of {len(group.finished) + _num_lost(group)}"


def _lost(own: Group, base: Group) -> str:
    """The runs that did not train: "the 3 that diverged count"."""
    counts = {state: _num(state, own, base) for state in LOST}
    parts = [f"{num} that {state}" for state, num in counts.items() if num]
    return f"the {' and the '.join(parts)} {'counts' if sum(counts.values()) == 1 else 'count'}"


def _num_lost(*groups: Group) -> int:
    return sum(_num(state, *groups) for state in LOST)


def _num(state: str, *groups: Group) -> int:
    return sum(run.state == state for group in groups for run in group.runs)


def _divergence(sides: Mapping[Pair, tuple[Group, Group]], rule: Rule) -> dict[Pair, float]:
    """Adjusted p of Fisher's test, where a run of either side diverged."""

    def counts(group: Group) -> tuple[int, int]:
        num = _num("diverged", group)
        return num, num + len(group.finished)

    p = np.array([fisher_p(*counts(own), *counts(base)) for own, base in sides.values()])
    adjusted = adjust(p, rule.correction)
    return {
        place: float(q)
        for (place, pair), q in zip(sides.items(), adjusted, strict=True)
        if _num("diverged", *pair)
    }


def _fisher(own: Group, base: Group, p: float, rule: Rule, family_size: int) -> str:
    shares = []
    for group in (own, base):
        num = _num("diverged", group)
        shares.append(f"{num} of {num + len(group.finished)}")
    over = {"holm": f" Holm over {family_size}", "bh": f" BH over {family_size}", "none": ""}[
        rule.correction
    ]
    return (
        f"{shares[0]} diverged, of the baseline {shares[1]} (Fisher's exact test, p={p:.3g}{over})"
    )


def _typical(verdict: Verdict, own: Group, base: Group, stuck: Mapping[Path, str]) -> str:
    """That a verdict speaks of typical runs, where some are not shown to learn; else ""."""
    both = own.finished + base.finished
    if math.isnan(verdict.p_adjusted) or all(run.folder in stuck for run in both):
        return ""
    counts = {
        whose: sum(run.folder in stuck for run in group.finished)
        for whose, group in (("variant", own), ("baseline", base))
    }
    parts = [f"{num} of the {whose}" for whose, num in counts.items() if num]
    if not parts:
        return ""
    return (
        f"; this speaks of typical runs: of those that finished, {' and '.join(parts)} "
        f"{'is' if sum(counts.values()) == 1 else 'are'} not shown to learn, and a test of means "
        "does not cover runs that collapse now and then"
    )


def _written(value: float, metric: Metric) -> str:
    return f"{value:.{metric.decimals}f} {metric.unit}".strip()
