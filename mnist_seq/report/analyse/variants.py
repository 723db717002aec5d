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
from mnist_seq.report.analyse.comparisons import Found
from mnist_seq.report.analyse.grouping import Group, reordered
from mnist_seq.report.analyse.guess import Guess
from mnist_seq.report.analyse.judging import judged
from mnist_seq.report.analyse.reached import times_to
from mnist_seq.report.analyse.readings import Plans
from mnist_seq.report.options import Options
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.value import Choice, Compared, Variant
from mnist_seq.runs.variants import shown, variant_key
from mnist_seq.stats import Rule, Verdict, describe, detectable_at, posterior


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
) -> tuple[list[Group], tuple[Variant, ...]]:
    """The groups in the order of the report, and the variant of each."""
    all_judged = judged(groups, metric, rule, options, stuck, guess, plans)
    family_size = sum(own.found is not None for own in all_judged.values())
    order = by_effect(groups, {place: own.found for place, own in all_judged.items() if own.found})
    groups = reordered(groups, order)
    found = []
    for place, old in enumerate(order):
        own = all_judged.get(old)
        verdict = own.verdict if own else None
        compared = (
            Compared(
                made.comparison,
                own.verdict,
                made.pairing + _means(made, groups, groups[place], metric),
                made.p_wilcoxon,
                detectable_at(made.comparison, rule, family_size),
                posterior(made.comparison, rule.margin) if rule.margin is not None else None,
                own.second,
                made.kind,
            )
            if own and (made := own.found)
            else None
        )
        variant = _variant(place, groups, keys, metric, compared, verdict, options)
        found.append(
            replace(
                variant,
                not_learning=sum(run.folder in stuck for run in groups[place].finished),
                p_diverged=own.p_diverged if own else math.nan,
                change=change_of(groups[place], groups),
                reached=times_to(groups[place], options.thresholds, guess.task),
                choice=choices.get(variant_key(groups[place].variant)),
            )
        )
    return list(groups), tuple(found)


def _means(found: Found, groups: Sequence[Group], own: Group, metric: Metric) -> str:
    """The means over the pairs, where those over all runs are others."""
    assert own.baseline is not None
    sides = (own, groups[own.baseline])
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
        num_params=float(np.mean([run.num_params for run, _ in values])) if values else math.nan,
        seconds=float(seconds.mean()) if values else math.nan,
        seconds_sd=float(seconds.std(ddof=1)) if len(values) > 1 else math.nan,
        compared=compared,
        word="baseline" if is_baseline else (verdict.word if verdict else ""),
        verdict="the baseline" if is_baseline else (verdict.text if verdict else ""),
    )


def _factor(value: object) -> str | float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else shown(value)  # type: ignore[arg-type]
