"""From run folders to the one `Report` value; here or below every number is computed."""

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mnist_seq.report import wording
from mnist_seq.report.analyse.chance import chance_of, not_learning
from mnist_seq.report.analyse.curves import learning_curves
from mnist_seq.report.analyse.digits import Images, predictions
from mnist_seq.report.analyse.grouping import AUTO, Group, group
from mnist_seq.report.analyse.importance import importances_of
from mnist_seq.report.analyse.missing import missing_runs
from mnist_seq.report.analyse.origins import origins, settings, warnings_of
from mnist_seq.report.analyse.searches import (
    GRID,
    Subject,
    samplers_of,
    search_of,
    subjects_of,
    unequal_searches,
)
from mnist_seq.report.analyse.tuning import check_select, choose, unequal_budgets, values_tried
from mnist_seq.report.analyse.variants import variants_of
from mnist_seq.report.analyse.watched import watched
from mnist_seq.report.read import select
from mnist_seq.report.read.collect import Collected, Run
from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.read.metric import Metric, find_metric
from mnist_seq.report.read.metric import metric as metric_named
from mnist_seq.report.value import Left, Mirror, Report, RunRow
from mnist_seq.runs.text import fitting
from mnist_seq.runs.variants import Flat
from mnist_seq.stats import Correction, Rule
from mnist_seq.stats.verdicts import Test

Importances = Literal["auto", "all", "none"]


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
    select: str = "valid/accuracy"
    over: tuple[str, ...] = ()
    importance: Importances = "auto"


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
        is_table_only: leave out curves, predictions and searches, which only the whole report
            shows.

    Raises:
        CannotCompare: the runs may not be compared, or not as asked.
    """
    _check(options)
    chosen = select.keep_where(collected.runs, options.where)
    metric = find_metric(options.metric, chosen)
    runs, notes = select.drop_duplicates(chosen, metric.of, options.duplicates)
    select.check_comparable(runs)
    chance = chance_of(runs)
    samplers = samplers_of(runs)
    tuning = choose(runs, options.select, options.over, samplers, chance=chance)
    kept, tuned = tuning.runs, tuning.keys
    at_chance = not_learning(kept, chance)
    by_hand = [run for run in runs if tuned or samplers[run.folder] == GRID]
    subjects = subjects_of(runs, options.select, tuned, samplers, chance=chance)
    weighed = _weighed(runs, subjects, options, tuned, samplers, chance)
    importances, lacking = importances_of(
        [] if is_table_only else weighed, options.select.replace("/", " ")
    )
    rule = _rule(options, metric)
    groups, keys = group(kept, baseline=options.baseline, defaults=defaults, tuned=tuned)
    groups, variants = variants_of(groups, keys, metric, rule, options, tuning.choices, at_chance)
    tried = values_tried(runs, tuned)
    is_by_hand = options.baseline != AUTO
    return Report(
        title=_title(collected.sources),
        sources=tuple(str(source) for source in collected.sources),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        metric=metric,
        level=options.level,
        rule=rule,
        rule_text=wording.rule_text(rule, options.level, variants),
        headline=wording.headline(variants, metric),
        counts=wording.counts(variants, collected),
        variants=variants,
        runs=tuple(_run_rows(groups, metric, at_chance)),
        factor_keys=keys,
        settings=settings(groups),
        origins=origins(kept),
        warnings=(
            *wording.not_learning(variants),
            *unequal_budgets(by_hand, tuned, samplers),
            *([] if tuned else unequal_searches(subjects)),
            *tuning.warnings,
            *warnings_of(kept, groups, options.metric),
        ),
        notes=(
            *_filter_note(options, len(chosen), len(collected.runs)),
            *tuning.notes,
            *notes,
            *lacking,
        ),
        missing=(
            *missing_runs(groups, keys, defaults, is_by_hand=is_by_hand, tried=tried),
            *tuning.missing,
        ),
        skipped=tuple(Left(str(s.folder), s.reason) for s in collected.skipped),
        mirror=_mirror(groups),
        curves=None if is_table_only else learning_curves(groups, options.level),
        predictions=None if is_table_only else predictions(groups, images),
        selector=metric_named(options.select) if tuned else None,
        watched=() if is_table_only else watched(groups),
        search=None if is_table_only else search_of(subjects, options.select),
        importances=importances,
    )


def _title(sources: Sequence[Path]) -> str:
    """Names of the sweeps; that of the folder they lie in where the sources are its runs."""
    places = [source.resolve() for source in sources]
    are_runs = all((place / "run.json").exists() for place in places)
    if are_runs and len(places) > 1 and len({place.parent for place in places}) == 1:
        return places[0].parent.name
    return " + ".join(place.name for place in places)


def _weighed(
    runs: Sequence[Run],
    subjects: list[Subject],
    options: Options,
    tuned: frozenset[str],
    samplers: Mapping[Path, str],
    chance: float,
) -> list[Subject]:
    """What importances are asked for: nothing, the searches, or every sweep's cells."""
    if options.importance == "all":
        return subjects_of(runs, options.select, tuned, samplers, chance=chance, is_any=True)
    return subjects if options.importance == "auto" else []


def _filter_note(options: Options, num_chosen: int, num_runs: int) -> tuple[str, ...]:
    if options.where == "all":
        return ()
    return (f"only runs with {options.where}: {num_chosen} of {num_runs}",)


def _check(options: Options) -> None:
    check_select(options.select)
    by_hand = {} if options.baseline == AUTO else select.parse_filter(options.baseline, "baseline")
    if named := [key for key in by_hand if key in options.over]:
        raise CannotCompare(
            f"a baseline has its own best values too: baseline={options.baseline!r} sets "
            f"{named[0]}, which over tunes; leave it out"
        )
    for name in ("level", "alpha", "power"):
        value = getattr(options, name)
        if not 1e-6 <= value <= 1 - 1e-6:  # nearer than that, 1 - value is no number apart
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
        decimals=metric.decimals,
    )


def _run_rows(
    groups: Sequence[Group], metric: Metric, at_chance: Mapping[Path, str]
) -> list[RunRow]:
    return [
        RunRow(
            variant=place,
            seed=run.seed,
            state=run.state,
            reason=at_chance.get(run.folder, run.reason),
            folder=str(run.folder),
            value=math.nan if (value := metric.of(run)) is None else value,
            seconds=run.seconds,
            is_learning=run.folder not in at_chance,
        )
        for place, own in enumerate(groups)
        for run in own.runs
    ]


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
        groups=tuple(dict.fromkeys(fitting(str(run.values.get("sweep.name"))) for run in runs)),
        ids={
            place: tuple(
                str(found["id"])
                for run in own.runs
                if isinstance(found := run.record.get("wandb"), Mapping) and found.get("id")
            )
            for place, own in enumerate(groups)
        },
    )
