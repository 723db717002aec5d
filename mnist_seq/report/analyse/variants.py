"""Computes the numbers and the verdict of each variant."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mnist_seq.report import wording
from mnist_seq.report.analyse.arms import by_effect, change_of
from mnist_seq.report.analyse.budgets import beside
from mnist_seq.report.analyse.comparisons import Found, pairs_of
from mnist_seq.report.analyse.grouping import Group, reordered
from mnist_seq.report.analyse.guess import Guess
from mnist_seq.report.analyse.judging import Judged, judged
from mnist_seq.report.analyse.reached import times_to
from mnist_seq.report.analyse.readings import Plans
from mnist_seq.report.options import Options
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.texts import words
from mnist_seq.report.value import Choice, Compared, Pair, Variant
from mnist_seq.runs.variants import shown, variant_key
from mnist_seq.stats import (
    Interval,
    Rule,
    Verdict,
    describe,
    detectable_at,
    no_verdict,
    posterior,
    t_interval,
)


def variants_of(
    groups: Sequence[Group],
    keys: Sequence[str],
    metric: Metric,
    rule: Rule,
    options: Options,
    choices: Mapping[tuple[Any, ...], Choice],
    stuck: Mapping[Path, str],
    guess: Guess,
    plans: Plans,
    undone: str,
) -> tuple[list[Group], tuple[Variant, ...], tuple[Pair, ...]]:
    """The groups in the order of the report, the variant of each, and all pairs if asked for."""
    all_judged = judged(groups, metric, rule, options, stuck, guess, plans, undone)
    with_baseline = {a: own for (a, b), own in all_judged.items() if groups[a].baseline == b}
    effects = {place: own.found for place, own in with_baseline.items() if own.found}
    order = by_effect(groups, effects)
    pairs = {
        (order.index(a), order.index(b)): own
        for (a, b), own in all_judged.items()
        if options.pairs == "all"
    }
    groups = reordered(groups, order)
    found = []
    for place, old in enumerate(order):
        own = with_baseline.get(old)
        verdict = own.verdict if own else None
        if groups[place].baseline is None:
            verdict = no_verdict("no baseline", len(groups[place].finished))
        compared = None
        if own and (base := groups[place].baseline) is not None:
            compared = _compared(own, groups[place], groups[base], metric, rule)
        variant = _variant(place, groups, keys, metric, compared, verdict, options)
        found.append(
            replace(
                variant,
                not_learning=sum(run.folder in stuck for run in groups[place].finished),
                p_diverged=own.p_diverged if own else math.nan,
                pairs=(pairs_by_seed := _differences(groups, place, metric)),
                apart=float(np.mean([x for _, x in pairs_by_seed])) if pairs_by_seed else math.nan,
                change=change_of(groups[place], groups),
                reached=times_to(groups[place], options.thresholds, guess.task),
                choice=choices.get(variant_key(groups[place].variant)),
            )
        )
    all_pairs = [
        Pair(a, b, own.verdict, _compared(own, groups[a], groups[b], metric, rule))
        for (a, b), own in sorted(pairs.items(), key=lambda item: item[0][::-1])
    ]
    return list(groups), words.labelled(found, keys), tuple(all_pairs)


def _compared(
    judged: Judged, own: Group, base: Group, metric: Metric, rule: Rule
) -> Compared | None:
    """The comparison as the report keeps it; None where there is none."""
    if (made := judged.found) is None:
        return None
    is_open = judged.verdict.word not in ("better", "worse", "equivalent")
    given_up = made.given_up if is_open else ""  # runs that were at work then may have decided it
    against = posterior(made.comparison, rule.margin) if rule.margin is not None else None
    return Compared(
        made.comparison,
        judged.verdict,
        made.pairing + given_up + _means(made, (own, base), metric),
        math.nan if judged.verdict.word == "so far" else made.p_wilcoxon,
        detectable_at(made.comparison, rule, judged.family_size),
        None if judged.verdict.word == "so far" else against,
        judged.second,
        made.kind,
        None if judged.verdict.word == "so far" else _wide(made, rule, judged.family_size),
        judged.family_size,
    )


def _wide(made: Found, rule: Rule, family_size: int) -> Interval | None:
    """The interval that holds for all comparisons at once."""
    c = made.comparison
    if rule.correction == "none" or family_size < 2 or made.kind == "anytime":
        return None
    level = 1 - rule.alpha / family_size
    return t_interval(c.difference, c.standard_error, c.df, level=level)


def _differences(
    groups: Sequence[Group], place: int, metric: Metric
) -> tuple[tuple[int, float], ...]:
    """(seed, difference to the baseline) of each seed that both have finished."""
    base = groups[place].baseline
    if base is None or base == place:
        return ()
    found = []
    for own, other in pairs_of(groups[place], groups[base], metric):
        a, b = metric.of(own), metric.of(other)
        if a is not None and b is not None:
            found.append((own.seed, a - b))
    return tuple(found)


def _means(found: Found, sides: tuple[Group, Group], metric: Metric) -> str:
    """The means over the pairs, where those over all runs are others."""
    n, n_base = (sum(metric.of(run) is not None for run in side.finished) for side in sides)
    return wording.means_text(found.comparison, n, n_base, metric)


def _variant(
    place: int,
    groups: Sequence[Group],
    keys: Sequence[str],
    metric: Metric,
    compared: Compared | None,
    verdict: Verdict | None,
    options: Options,
) -> Variant:
    own = groups[place]
    values = [(run, value) for run in own.finished if (value := metric.of(run)) is not None]
    about = describe(np.array([v for _, v in values]), options.level) if values else None
    seconds = np.array([run.seconds for run, _ in values])
    states = Counter(run.state for run in own.runs)
    is_baseline = own.baseline == place
    return Variant(
        key=place,
        name=own.name,
        cell=own.cell,
        settings={key: shown(own.variant[key]) for key in keys if key in own.variant},
        factors={key: _factor(own.variant[key]) for key in keys if key in own.variant},
        is_baseline=is_baseline,
        baseline=own.baseline,
        baseline_name="" if own.baseline is None else groups[own.baseline].name,
        seeds=tuple(run.seed for run, _ in values),
        n=len(values),
        planned=len(own.runs),
        failed=states["failed"],
        diverged=states["diverged"],
        interrupted=states["interrupted"],
        unreadable=states["unreadable"] + states["finished"] - len(values),
        not_learning=0,
        mean=about.mean if about else math.nan,
        sd=about.sd if about else math.nan,
        low=about.interval.low if about else math.nan,
        high=about.interval.high if about else math.nan,
        median=about.median if about else math.nan,
        iqm=about.iqm if about else math.nan,
        num_params=_mean([run.num_params for run, _ in values]),
        state_size=_mean([run.state_size for run, _ in values]),
        multiply_adds=_mean([run.multiply_adds for run, _ in values]),
        updates=_mean([run.updates for run, _ in values]),
        step_seconds=_mean([r.seconds / r.updates if r.updates else math.nan for r, _ in values]),
        beside=beside(own),
        seconds=float(seconds.mean()) if values else math.nan,
        seconds_sd=float(seconds.std(ddof=1)) if len(values) > 1 else math.nan,
        compared=compared,
        word="baseline" if is_baseline else (verdict.word if verdict else ""),
        verdict="the baseline" if is_baseline else (verdict.text if verdict else ""),
    )


def _mean(values: Sequence[float]) -> float:
    mean = float(np.mean(values)) if values else math.nan
    return math.nan if math.isnan(mean) else mean  # the one NaN that is equal to itself in a tuple


def _factor(value: object) -> str | float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else shown(value)  # type: ignore[arg-type]
