"""From run folders to the one `Report` value; here or below every number is computed."""

import datetime
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mnist_seq.report import select, wording
from mnist_seq.report.collect import Collected
from mnist_seq.report.curves import learning_curves, reached
from mnist_seq.report.digits import Images, predictions
from mnist_seq.report.errors import CannotCompare
from mnist_seq.report.grouping import AUTO, Group, group
from mnist_seq.report.metric import Metric, find_metric
from mnist_seq.report.missing import missing_runs
from mnist_seq.report.origins import origins, settings, warnings_of
from mnist_seq.report.value import Difference, Left, Mirror, Report, RunRow, Variant
from mnist_seq.report.versus import Versus, compare, difference
from mnist_seq.runs.variants import Flat
from mnist_seq.stats import (
    Correction,
    Rule,
    Verdict,
    describe,
    judge,
    no_verdict,
    pareto_front,
)
from mnist_seq.stats.verdicts import Test


@dataclass(frozen=True)
class Options:
    """What a comparison is asked for; `conf/compare.yaml` explains the keys."""

    baseline: str = AUTO
    where: str = "all"
    metric: str = "test/accuracy"
    level: float = 0.95
    alpha: float = 0.05
    power: float = 0.8
    margin: float | None = None
    test: Test = "t"
    correction: Correction = "holm"
    wilcoxon: bool = False
    duplicates: select.Duplicates = "refuse"
    thresholds: tuple[float, ...] = (0.97, 0.98)


def build(
    collected: Collected,
    options: Options,
    *,
    defaults: Flat,
    images: Images | None = None,
    is_table_only: bool = False,
) -> Report:
    """Compares all that was collected.

    Args:
        defaults: flat config of `conf/train.yaml`, which says what the baseline is.
        images: pictures of the test set; else images are named by their index.
        is_table_only: leave out curves and predictions, which only the whole report shows.

    Raises:
        CannotCompare: the runs may not be compared, or not as asked.
    """
    _check(options)
    chosen = select.keep_where(collected.runs, options.where)
    metric = find_metric(options.metric, chosen)
    runs, notes = select.drop_duplicates(chosen, metric.of, options.duplicates)
    select.check_comparable(runs)
    rule = _rule(options, metric)
    groups, keys = group(runs, baseline=options.baseline, defaults=defaults)
    variants = _variants(groups, keys, metric, rule, options)
    return Report(
        title=" + ".join(source.resolve().name for source in collected.sources),
        sources=tuple(str(source) for source in collected.sources),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        metric=metric,
        level=options.level,
        rule=rule,
        rule_text=wording.rule_text(rule, options.level),
        headline=wording.headline(variants, metric),
        counts=wording.counts(variants, collected),
        variants=variants,
        runs=tuple(_run_rows(groups, metric)),
        factor_keys=keys,
        settings=settings(groups),
        origins=origins(runs),
        warnings=warnings_of(runs, groups, options.metric),
        notes=(*_filter_note(options, len(chosen), len(collected.runs)), *notes),
        missing=missing_runs(groups, keys, defaults, is_by_hand=options.baseline != AUTO),
        skipped=tuple(Left(str(s.folder), s.reason) for s in collected.skipped),
        mirror=_mirror(groups),
        curves=None if is_table_only else learning_curves(groups, options.level),
        predictions=None if is_table_only else predictions(groups, images),
    )


def _filter_note(options: Options, num_chosen: int, num_runs: int) -> tuple[str, ...]:
    if options.where == "all":
        return ()
    return (f"only runs with {options.where}: {num_chosen} of {num_runs}",)


def _variants(
    groups: Sequence[Group], keys: Sequence[str], metric: Metric, rule: Rule, options: Options
) -> tuple[Variant, ...]:
    versus, verdicts = _judged(groups, metric, rule, options)
    differences = {place: difference(v, verdicts[place], rule) for place, v in versus.items()}
    found = [
        _variant(place, groups, keys, metric, differences.get(place), verdicts.get(place), options)
        for place in range(len(groups))
    ]
    return tuple(_on_the_front(found, metric))


def _check(options: Options) -> None:
    for name in ("level", "alpha", "power"):
        value = getattr(options, name)
        if not 0 < value < 1:
            raise CannotCompare(
                f"{name} must lie between 0 and 1: {name}={value}; write 0.95 for 95 %"
            )
    if options.margin is not None and not 0 < options.margin < math.inf:
        raise CannotCompare(
            f"margin must be positive, in the metric's unit: margin={options.margin}; write "
            "margin=0.1 for 0.1 points, or margin=none"
        )


def _rule(options: Options, metric: Metric) -> Rule:
    return Rule(
        test=options.test,
        correction=options.correction,
        alpha=options.alpha,
        power=options.power,
        margin=options.margin,
        unit=metric.points,
    )


def _judged(
    groups: Sequence[Group], metric: Metric, rule: Rule, options: Options
) -> tuple[dict[int, Versus], dict[int, Verdict]]:
    """Comparisons and verdicts by place; the correction runs over all that could be made."""
    versus: dict[int, Versus] = {}
    verdicts: dict[int, Verdict] = {}
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
                versus[place] = found
    judged = judge([v.comparison for v in versus.values()], rule)
    return versus, verdicts | dict(zip(versus, judged, strict=True))


def _variant(
    place: int,
    groups: Sequence[Group],
    keys: Sequence[str],
    metric: Metric,
    versus: Difference | None,
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
        settings={key: wording.shown(own.variant[key]) for key in keys if key in own.variant},
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
        mean=about.mean if about else math.nan,
        sd=about.sd if about else math.nan,
        low=about.interval.low if about else math.nan,
        high=about.interval.high if about else math.nan,
        median=about.median if about else math.nan,
        iqm=about.iqm if about else math.nan,
        num_params=float(np.mean([run.num_params for run, _ in values])) if values else math.nan,
        seconds=float(seconds.mean()) if values else math.nan,
        seconds_sd=float(seconds.std(ddof=1)) if len(values) > 1 else math.nan,
        difference=versus,
        word="baseline" if is_baseline else (verdict.word if verdict else ""),
        verdict="the baseline" if is_baseline else (verdict.text if verdict else ""),
        reached=tuple(reached(own, threshold) for threshold in options.thresholds),
    )


def _on_the_front(variants: list[Variant], metric: Metric) -> list[Variant]:
    """Marks the variants that no other beats in the mean at no more cost."""
    known = [v for v in variants if v.n]
    value = np.array([v.mean if metric.higher_is_better else -v.mean for v in known])
    marks: dict[int, dict[str, bool]] = {}
    for name in ("num_params", "seconds"):
        front = pareto_front(np.array([getattr(v, name) for v in known]), value)
        for v, is_on_it in zip(known, front, strict=True):
            marks.setdefault(v.key, {})[name] = bool(is_on_it)
    return [
        replace(
            v,
            is_cheapest_params=marks.get(v.key, {}).get("num_params", False),
            is_cheapest_seconds=marks.get(v.key, {}).get("seconds", False),
        )
        for v in variants
    ]


def _run_rows(groups: Sequence[Group], metric: Metric) -> list[RunRow]:
    return [
        RunRow(
            variant=place,
            seed=run.seed,
            state=run.state,
            reason=run.reason,
            folder=str(run.folder),
            value=math.nan if (value := metric.of(run)) is None else value,
            seconds=run.seconds,
        )
        for place, own in enumerate(groups)
        for run in own.runs
    ]


def _factor(value: object) -> str | float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else wording.shown(value)  # type: ignore[arg-type]


def _mirror(groups: Sequence[Group]) -> Mirror:
    """Where W&B has the runs, by their records; else what their configs say."""
    runs = [run for own in groups for run in own.runs]
    kept: list[Mapping[str, str]] = [
        found for run in runs if isinstance(found := run.record.get("wandb"), Mapping)
    ]
    place = kept[0] if kept else {}
    entity = str(place.get("entity") or runs[0].values.get("tracker.entity", ""))
    return Mirror(
        entity="" if entity == "default" else entity,
        project=str(place.get("project") or runs[0].values.get("tracker.project", "")),
        groups=tuple(dict.fromkeys(run.folder.resolve().parent.name for run in runs)),
        ids={
            place: tuple(
                str(found["id"])
                for run in own.runs
                if isinstance(found := run.record.get("wandb"), Mapping) and found.get("id")
            )
            for place, own in enumerate(groups)
        },
    )
