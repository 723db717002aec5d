"""Computes the numbers and the verdict of each variant."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mnist_seq.report.analyse.arms import by_effect, change_of
from mnist_seq.report.analyse.comparisons import Found, compare
from mnist_seq.report.analyse.grouping import Group, reordered
from mnist_seq.report.analyse.reached import times_to
from mnist_seq.report.options import Options
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.read.task_record import TaskRecord
from mnist_seq.report.value import Choice, Compared, Variant
from mnist_seq.runs.variants import shown, variant_key
from mnist_seq.stats import Rule, Verdict, describe, judge, no_verdict


def variants_of(
    groups: Sequence[Group],
    keys: Sequence[str],
    metric: Metric,
    rule: Rule,
    options: Options,
    choices: Mapping[tuple[Any, ...], Choice],
    learnt_nothing: Mapping[Path, str],
    task: TaskRecord,
) -> tuple[list[Group], tuple[Variant, ...]]:
    """The groups in the order of the report, and the variant of each."""
    comparisons, verdicts = _judged(groups, metric, rule, options, learnt_nothing)
    order = by_effect(groups, comparisons)
    groups = reordered(groups, order)
    found = []
    for place, old in enumerate(order):
        own, verdict = comparisons.get(old), verdicts.get(old)
        compared = (
            Compared(own.comparison, verdict, own.pairing, own.p_wilcoxon)
            if own and verdict
            else None
        )
        variant = _variant(place, groups, keys, metric, compared, verdict, options)
        found.append(
            replace(
                variant,
                not_learning=sum(run.folder in learnt_nothing for run in groups[place].finished),
                change=change_of(groups[place], groups),
                reached=times_to(groups[place], options.thresholds, task),
                choice=choices.get(variant_key(groups[place].variant)),
            )
        )
    return list(groups), tuple(found)


def _judged(
    groups: Sequence[Group],
    metric: Metric,
    rule: Rule,
    options: Options,
    learnt_nothing: Mapping[Path, str],
) -> tuple[dict[int, Found], dict[int, Verdict]]:
    """Comparisons and verdicts by position; the correction covers all comparisons that exist."""
    comparisons: dict[int, Found] = {}
    verdicts: dict[int, Verdict] = {}
    learns: list[bool] = []
    for place, own in enumerate(groups):
        if own.baseline is None:
            verdicts[place] = no_verdict("no baseline", len(own.finished))
        elif own.baseline != place:
            base = groups[own.baseline]
            found = compare(own, base, metric, level=options.level, power=options.power,
                            wilcoxon=options.wilcoxon)  # fmt: skip
            if found is None:
                n = min(len(own.finished), len(base.finished))
                verdicts[place] = no_verdict("too few seeds", n)
            else:
                comparisons[place] = found
                both = own.finished + base.finished
                learns.append(any(run.folder not in learnt_nothing for run in both))
    judged = judge([own.comparison for own in comparisons.values()], rule, learns=learns)
    return comparisons, verdicts | dict(zip(comparisons, judged, strict=True))


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
