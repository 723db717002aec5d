"""A variant against its baseline: which seeds pair, which test is right, what it says."""

import math
from dataclasses import dataclass

import numpy as np

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.read.collect import Run
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.value import Difference
from mnist_seq.stats import (
    Comparison,
    Rule,
    Verdict,
    mcnemar_over_seeds,
    paired_comparison,
    welch_comparison,
    wilcoxon_p,
)


@dataclass(frozen=True)
class Versus:
    """A comparison, with what a reader must know of how it was made."""

    comparison: Comparison
    pairing: str
    p_wilcoxon: float
    pairs: tuple[tuple[Run, Run], ...]


def compare(
    variant: Group, baseline: Group, metric: Metric, *, level: float, power: float, wilcoxon: bool
) -> Versus | None:
    """Compares two variants, paired by seed wherever most seeds have their twin.

    Seeds pair where more than half of the smaller side's finished runs have a finished run of the
    same seed on the other side; else all runs of both sides go into Welch's test. Either way the
    runs that are left out are named.

    Returns:
        None where neither way has 2 runs a side.
    """
    a = {run.seed: run for run in variant.finished if metric.of(run) is not None}
    b = {run.seed: run for run in baseline.finished if metric.of(run) is not None}
    common = sorted(a.keys() & b.keys())
    options = {"level": level, "power": power, "higher_is_better": metric.higher_is_better}
    if len(common) >= 2 and 2 * len(common) > min(len(a), len(b)):
        pairs = tuple((a[seed], b[seed]) for seed in common)
        x, y = (_values([pair[side] for pair in pairs], metric) for side in (0, 1))
        found = paired_comparison(x, y, **options)  # type: ignore[arg-type]
        p = wilcoxon_p(x, y) if wilcoxon else math.nan
        return Versus(found, _pairs_text(variant, baseline, common), p, pairs)
    if min(len(a), len(b)) < 2:
        return None
    x, y = _values(list(a.values()), metric), _values(list(b.values()), metric)
    text = (
        f"Welch, n={len(a)} and {len(b)}: seeds do not pair ({len(common)} in common; variant "
        f"{_seeds(a)}, baseline {_seeds(b)})"
    )
    pairs = tuple((a[seed], b[seed]) for seed in common)
    return Versus(welch_comparison(x, y, **options), text, math.nan, pairs)  # type: ignore[arg-type]


def difference(versus: Versus, verdict: Verdict, rule: Rule) -> Difference:
    """A comparison and its verdict as plain numbers."""
    c, close = versus.comparison, verdict.equivalence
    return Difference(
        is_paired=c.is_paired,
        pairing=versus.pairing,
        n=c.n,
        difference=c.difference,
        low=c.interval.low,
        high=c.interval.high,
        p=verdict.p,
        p_permutation=c.p_permutation,
        permutation=c.permutation,
        p_wilcoxon=versus.p_wilcoxon,
        p_adjusted=verdict.p_adjusted,
        p_floor=c.permutation_floor,
        effect_size=c.effect_size,
        effect_name=c.effect_name,
        p_better=c.p_better,
        detectable=c.detectable,
        needed=verdict.needed_seeds,
        p_equivalence=close.p if close else math.nan,
        equivalence_low=close.interval.low if close else math.nan,
        equivalence_high=close.interval.high if close else math.nan,
        correlation=getattr(c, "correlation", math.nan),
        mcnemar=_mcnemar(versus, rule),
    )


def _mcnemar(versus: Versus, rule: Rule) -> tuple[int, int, int, int] | None:
    """Seed pairs of models: in all, variant better, baseline better, undecided."""
    hits = []
    for a, b in versus.pairs:
        of_a, of_b = a.predictions, b.predictions
        if of_a is None or of_b is None or not np.array_equal(of_a[0], of_b[0]):
            continue
        hits.append((of_a[1] == of_a[0], of_b[1] == of_b[0]))
    if not hits:
        return None
    found = mcnemar_over_seeds(hits, alpha=rule.alpha)
    return found.num_pairs, found.num_a_better, found.num_b_better, found.num_undecided


def _values(runs: list[Run], metric: Metric) -> np.ndarray:
    return np.array([metric.of(run) for run in runs], dtype=np.float64)


def _pairs_text(variant: Group, baseline: Group, common: list[int]) -> str:
    planned = {run.seed: "variant" for run in variant.runs} | {
        run.seed: "baseline" for run in baseline.runs
    }
    lost = sorted(planned.keys() - set(common))
    if not lost:
        return "paired by seed"
    reasons = "; ".join(_why(seed, variant, baseline) for seed in lost[:6])
    more = f"; and {len(lost) - 6} more" if lost[6:] else ""
    return f"paired by seed, n={len(common)} of {len(planned)} pairs ({reasons}{more})"


def _why(seed: int, variant: Group, baseline: Group) -> str:
    for side, group in (("variant", variant), ("baseline", baseline)):
        states = [run.state for run in group.runs if run.seed == seed]
        if states != ["finished"]:
            return f"seed {seed}: {side} {states[0] if states else 'has no run'}"
    return f"seed {seed}: no value"


def _seeds(runs: dict[int, Run]) -> str:
    seeds = sorted(runs)
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"seeds {seeds[0]}-{seeds[-1]}"
    return f"seeds {', '.join(map(str, seeds))}"
