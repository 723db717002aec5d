"""Computes the `Report` value from run folders."""

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mnist_seq.report import wording
from mnist_seq.report.analyse.budgets import (
    unequal_budgets,
    unequal_updates,
    values_tried,
    why_seconds_differ,
)
from mnist_seq.report.analyse.grouping import Group, group
from mnist_seq.report.analyse.guess import Guess, guess_of, not_learning
from mnist_seq.report.analyse.mirror import mirror_of
from mnist_seq.report.analyse.missing import missing_runs, undone
from mnist_seq.report.analyse.predictions import Images
from mnist_seq.report.analyse.readings import Plans
from mnist_seq.report.analyse.searches import (
    GRID,
    Subject,
    samplers_of,
    subjects_of,
    unequal_searches,
)
from mnist_seq.report.analyse.tuning import Chosen, choose
from mnist_seq.report.analyse.variants import variants_of
from mnist_seq.report.analyse.warnings import warnings_of
from mnist_seq.report.cautions import (
    besides,
    cautions,
    headline,
    not_shown,
    seconds_note,
    so_far,
    unlike_sizes,
    unlike_surroundings,
)
from mnist_seq.report.options import AUTO, Options, check_options
from mnist_seq.report.read import select
from mnist_seq.report.read.asked import asked_of
from mnist_seq.report.read.collect import Collected
from mnist_seq.report.read.metric import Metric, find_metric, find_selector, task_of
from mnist_seq.report.read.run import Run
from mnist_seq.report.sections import Computed, Inputs, computed, without_broken
from mnist_seq.report.value import Left, Report, RunRow, Variant
from mnist_seq.runs.variants import Flat
from mnist_seq.stats import Rule


@dataclass(frozen=True)
class _Read:
    """The runs of a comparison, and the decisions about them.

    Attributes:
        runs: all runs that may be compared; `chosen.runs` are those with the chosen values.
        selector: the validation metric by which values are chosen and searched.
        guess: what a guess gets; it stands for a run that diverged.
        stuck: finished runs that are not shown to learn: folder -> reason.
        samplers: folder -> sampler of the run's values.
        subjects: the searches among the runs.
        undone: how many runs of the sweep are not done; "" if all are.
    """

    runs: tuple[Run, ...]
    notes: tuple[str, ...]
    metric: Metric
    selector: Metric
    guess: Guess
    chosen: Chosen
    stuck: Mapping[Path, str]
    samplers: Mapping[Path, str]
    subjects: list[Subject]
    undone: str


def build(
    collected: Collected,
    options: Options,
    *,
    defaults: Flat,
    images: Images | None = None,
    is_table_only: bool = False,
) -> Report:
    """Compare the collected runs.

    Args:
        defaults: flat config of `conf/train.yaml`, which says what the baseline is.
        images: pictures of the test set; without them images are named by their index.
        is_table_only: compute the verdict table only, without sections.

    Raises:
        CannotCompare: the runs must not be compared, or not as requested.
    """
    check_options(options)
    read = _read(collected, options)
    chosen, plans = read.chosen, Plans(read.chosen.runs)
    rule = _rule(options, read.metric, plans)
    groups, keys = group(
        chosen.runs, baseline=options.baseline, defaults=defaults, tuned=chosen.keys
    )
    groups, variants, pairs = variants_of(
        groups,
        keys,
        read.metric,
        rule,
        options,
        chosen.choices,
        read.stuck,
        read.guess,
        plans,
        "" if options.allow_incomplete else read.undone,
    )
    inputs = _inputs(read, groups, variants, keys, options, images)
    inputs = replace(inputs, pairs=pairs)
    sections = Computed({}, (), ()) if is_table_only else computed(inputs)
    made = [pair.compared for pair in pairs or variants if pair.compared]
    num_compared = made[0].family_size if made else 0
    is_by_hand = options.baseline != AUTO
    tried = values_tried(read.runs, chosen.keys)
    missing = missing_runs(groups, keys, defaults, is_by_hand=is_by_hand, tried=tried)
    asides = besides(groups, variants, pairs, read.selector, read.metric)
    report = Report(
        title=select.title_of(collected.sources),
        sources=tuple(str(source) for source in collected.sources),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        metric=read.metric,
        level=options.level,
        rule=rule,
        rule_text=wording.rule_text(rule, options.level, variants),
        headline="; ".join([headline(variants, read.metric, read.undone), *asides]),
        besides=asides,
        counts=wording.counts(variants, collected),
        variants=variants,
        runs=tuple(_run_rows(groups, read.metric, read.stuck)),
        factor_keys=keys,
        warnings=(
            *_warnings(read, inputs),
            *_unlike_plans(plans, groups, variants, rule, read),
            *sections.warnings,
        ),
        notes=(
            *read.notes,
            *(_family_note(len(made), num_compared) if rule.correction != "none" else ()),
            *sections.notes,
            *seconds_note(inputs.seconds_differ),
        ),
        missing=(*missing, *chosen.missing),
        skipped=tuple(Left(str(s.folder), s.reason) for s in collected.skipped),
        mirror=mirror_of(groups),
        selector=read.selector if chosen.keys else None,
        main=read.guess.task.main,
        seconds_differ=inputs.seconds_differ,
        num_comparisons=num_compared,
        undone=read.undone,
        asked=asked_of(collected.sources),
        cautions=(
            *so_far(read.undone, variants),
            *cautions(groups, variants, read.metric, rule, sorted(chosen.keys), num_compared),
        ),
        parts=sections.parts,
        guess=read.guess.of(read.metric),
    )
    return without_broken(report)


def _read(collected: Collected, options: Options) -> _Read:
    """Select the runs, and for each variant those with the chosen values."""
    asked = select.keep_where(collected.runs, options.where)
    main = task_of(asked).main
    metric = find_metric(f"test/{main}" if options.metric == AUTO else options.metric, asked)
    selector = find_selector(f"valid/{main}" if options.select == AUTO else options.select, asked)
    runs, twice = select.drop_duplicates(asked, metric.of, options.duplicates)
    select.check_comparable(runs)
    guess, samplers = guess_of(runs), samplers_of(runs)
    chosen = choose(runs, selector, options.over, samplers, guess=guess)
    return _Read(
        runs=runs,
        notes=(
            *_filter_note(options, len(asked), len(collected.runs)),
            *chosen.notes,
            *twice,
        ),
        metric=metric,
        selector=selector,
        guess=guess,
        chosen=chosen,
        stuck=not_learning(chosen.runs, guess),
        samplers=samplers,
        subjects=subjects_of(runs, selector, chosen.keys, samplers, guess=guess),
        undone=undone(runs, collected.sources, samplers, is_whole=options.where == "all"),
    )


def _inputs(
    read: _Read,
    groups: Sequence[Group],
    variants: Sequence[Variant],
    keys: Sequence[str],
    options: Options,
    images: Images | None,
) -> Inputs:
    return Inputs(
        groups=groups,
        variants=variants,
        keys=keys,
        runs=read.chosen.runs,
        metric=read.metric,
        selector=read.selector,
        task=read.guess.task,
        options=options,
        subjects=read.subjects,
        weighed=_weighed(read, options),
        images=images,
        seconds_differ=why_seconds_differ(groups),
    )


def _warnings(read: _Read, inputs: Inputs) -> tuple[str, ...]:
    """The warnings, the most serious first."""
    tuned, groups, variants, keys = read.chosen.keys, inputs.groups, inputs.variants, inputs.keys
    by_hand = [run for run in read.runs if tuned or read.samplers[run.folder] == GRID]
    return (
        *not_shown(variants, keys),
        *unequal_budgets(by_hand, tuned, read.samplers),
        *([] if tuned else unequal_searches(read.subjects)),
        *unequal_updates(groups),
        *unlike_sizes(groups, variants, keys),
        *unlike_surroundings(groups, variants, keys),
        *read.chosen.warnings,
        *warnings_of(read.chosen.runs, groups, read.metric, read.guess.task),
    )


def _weighed(read: _Read, options: Options) -> list[Subject]:
    """The searches whose importances are requested: none, all, or every sweep."""
    if options.importance == "all":
        return subjects_of(
            read.runs,
            read.selector,
            read.chosen.keys,
            read.samplers,
            guess=read.guess,
            is_any=True,
        )
    return read.subjects if options.importance == "auto" else []


def _filter_note(options: Options, num_chosen: int, num_runs: int) -> tuple[str, ...]:
    if options.where == "all":
        return ()
    return (f"only runs with {options.where}: {num_chosen} of {num_runs}",)


def _unlike_plans(
    plans: Plans, groups: Sequence[Group], variants: Sequence[Variant], rule: Rule, read: _Read
) -> tuple[str, ...]:
    """Where these comparisons differ from what was planned."""
    compared = [groups[v.key] for v in variants if v.compared]
    return plans.notes(compared, rule, read.metric.name)


def _family_note(num_here: int, family_size: int) -> tuple[str, ...]:
    """That p is corrected over more comparisons than there are here."""
    text = f"p is corrected over {family_size} comparisons, as planned, and {num_here} are here"
    return (text,) if num_here < family_size else ()


def _rule(options: Options, metric: Metric, plans: Plans) -> Rule:
    margin = plans.margin if isinstance(options.margin, str) else options.margin
    return Rule(
        test=options.test,
        correction=options.correction,
        alpha=options.alpha,
        power=options.power,
        margin=margin,
        unit=metric.points,
        decimals=metric.decimals,
    )


def _run_rows(groups: Sequence[Group], metric: Metric, stuck: Mapping[Path, str]) -> list[RunRow]:
    return [
        RunRow(
            variant=place,
            seed=run.seed,
            state=run.state,
            reason=stuck.get(run.folder, run.reason),
            folder=str(run.folder),
            value=math.nan if (value := metric.of(run)) is None else value,
            seconds=run.seconds,
            is_learning=run.folder not in stuck,
        )
        for place, own in enumerate(groups)
        for run in own.runs
    ]
