"""Compares a variant with its baseline: chooses which seeds pair, and the test."""

import math
from dataclasses import dataclass, replace

import numpy as np

from mnist_seq.report.analyse.grouping import Group
from mnist_seq.report.analyse.readings import Reading
from mnist_seq.report.options import Options
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.read.run import Run
from mnist_seq.report.value import Kind
from mnist_seq.stats import Comparison, Rule, paired_comparison, welch_comparison, wilcoxon_p
from mnist_seq.stats.sequential.looks import Looks, look


@dataclass(frozen=True)
class Found:
    """A comparison, and how it was made; `value.Compared` says what the fields hold."""

    comparison: Comparison
    pairing: str
    p_wilcoxon: float
    kind: Kind = "one look"
    looks: Looks | None = None
    given_up: str = ""  # why its sweep gave it no more seeds while it was undecided


def compare_as_read(
    variant: Group,
    baseline: Group,
    metric: Metric,
    reading: Reading,
    *,
    rule: Rule,
    options: Options,
    fill: float | None = None,
) -> Found | None:
    """Compare two variants by the reading that their plan allows.

    An e-value has the seeds of its reading alone, and the interval is its confidence sequence.

    Args:
        fill: what counts for a run that diverged or failed; None leaves such runs out.

    Returns:
        None where there are too few runs.
    """
    level, power, wilcoxon = options.level, options.power, options.wilcoxon and fill is None
    if reading.kind != "anytime":
        found = compare(
            variant, baseline, metric, level=level, power=power, wilcoxon=wilcoxon, fill=fill
        )
        return None if found is None else replace(found, kind=reading.kind)
    seeds = set(reading.seeds)
    own, base = (
        replace(group, runs=tuple(run for run in group.runs if run.seed in seeds))
        for group in (variant, baseline)
    )
    a, b = _values(own, metric, fill), _values(base, metric, fill)
    order = [seed for seed in reading.seeds if seed in a and seed in b]
    if len(order) < 2:
        return None
    x, y = (np.array([side[seed] for seed in order]) for side in (a, b))
    looks = look(
        x - y,
        kind="mixture" if rule.test == "t" else "sign flips",
        level=level,
        margin=rule.margin,
        scale=float(max(np.abs(x).max(), np.abs(y).max())),
    )
    comparison = paired_comparison(
        x, y, level=level, power=power, higher_is_better=metric.higher_is_better
    )
    return Found(
        replace(comparison, interval=looks.interval),
        f"{_pairs_text(own, base, sorted(order))}{reading.waits}",
        wilcoxon_p(x, y) if wilcoxon else math.nan,
        kind="anytime",
        looks=looks,
        given_up=reading.given_up,
    )


def compare(
    variant: Group,
    baseline: Group,
    metric: Metric,
    *,
    level: float,
    power: float,
    wilcoxon: bool,
    fill: float | None = None,
) -> Found | None:
    """Compare two variants; paired by seed where most seeds have runs of both.

    The comparison is paired if more than half of the finished runs of the smaller side have a
    finished run with the same seed on the other side. Otherwise Welch's test compares all runs of
    both sides. Runs that are not used are named in both cases.

    Args:
        fill: what counts for a run that diverged or failed; None leaves such runs out.

    Returns:
        None where neither test has 2 runs on each side.
    """
    a, b = _values(variant, metric, fill), _values(baseline, metric, fill)
    common = sorted(a.keys() & b.keys())
    options = {"level": level, "power": power, "higher_is_better": metric.higher_is_better}
    if len(common) >= 2 and 2 * len(common) > min(len(a), len(b)):
        x, y = (np.array([side[seed] for seed in common]) for side in (a, b))
        found = paired_comparison(x, y, **options)  # type: ignore[arg-type]
        p = wilcoxon_p(x, y) if wilcoxon else math.nan
        return Found(found, _pairs_text(variant, baseline, common), p)
    if min(len(a), len(b)) < 2:
        return None
    x, y = np.array(list(a.values())), np.array(list(b.values()))
    text = (
        f"Welch, n={len(a)} and {len(b)}: seeds do not pair ({len(common)} in common; variant "
        f"{_seeds(a)}, baseline {_seeds(b)})"
    )
    return Found(welch_comparison(x, y, **options), text, math.nan)  # type: ignore[arg-type]


def pairs_of(variant: Group, baseline: Group, metric: Metric) -> list[tuple[Run, Run]]:
    """Finished runs of both sides for each seed that both have."""
    a, b = _by_seed(variant, metric), _by_seed(baseline, metric)
    return [(a[seed], b[seed]) for seed in sorted(a.keys() & b.keys())]


def _by_seed(group: Group, metric: Metric) -> dict[int, Run]:
    return {run.seed: run for run in group.finished if metric.of(run) is not None}


def _values(group: Group, metric: Metric, fill: float | None) -> dict[int, float]:
    """The value of each seed that has one; `fill` for runs that diverged or failed."""
    found = {run.seed: metric.of(run) for run in group.runs}
    lost = {run.seed for run in group.runs if run.state in ("diverged", "failed")}
    found |= dict.fromkeys(lost, fill)
    return {seed: float(value) for seed, value in found.items() if value is not None}


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


def _seeds(runs: dict[int, float]) -> str:
    seeds = sorted(runs)
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"seeds {seeds[0]}-{seeds[-1]}"
    return f"seeds {', '.join(map(str, seeds))}"
