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
from mnist_seq.report.analyse.mirror import mirror_of
from mnist_seq.report.analyse.missing import missing_runs
from mnist_seq.report.analyse.predictions import Images
from mnist_seq.report.analyse.readings import Plans
from mnist_seq.report.analyse.searches import (
    GRID,
    Subject,
    subjects_of,
    unequal_searches,
)
from mnist_seq.report.analyse.variants import variants_of
from mnist_seq.report.analyse.warnings import warnings_of
from mnist_seq.report.material import Material, material, rule_of
from mnist_seq.report.options import AUTO, Options, check_options
from mnist_seq.report.read import select
from mnist_seq.report.read.asked import asked_of
from mnist_seq.report.read.collect import Collected
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.sections import Computed, Inputs, computed, without_broken
from mnist_seq.report.texts.cautions import (
    besides,
    cautions,
    not_shown,
    seconds_note,
    so_far,
    unlike_sizes,
    unlike_surroundings,
)
from mnist_seq.report.texts.headline import headline
from mnist_seq.report.value import Left, Missing, Pair, Report, RunRow, Variant
from mnist_seq.runs.variants import Flat
from mnist_seq.stats import Rule


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
    read = material(collected, options)
    made = _judged(read, options, defaults)
    inputs = _inputs(read, made, options, images)
    sections = Computed({}, (), ()) if is_table_only else computed(inputs)
    report = without_broken(_report(collected, options, defaults, read, made, inputs, sections))
    return replace(report, headline=" ".join(headline(report)))


@dataclass(frozen=True)
class _Judged:
    """The variants with their verdicts, in the order of the report.

    Attributes:
        groups: the runs of each variant; keys: that differ between variants.
        pairs: every pair, where all are asked for.
        plans: what the sweep's plans say of its comparisons.
    """

    groups: list[Group]
    keys: tuple[str, ...]
    variants: tuple[Variant, ...]
    pairs: tuple[Pair, ...]
    plans: Plans
    rule: Rule

    @property
    def num_here(self) -> int:
        """How many comparisons were made."""
        return sum(pair.compared is not None for pair in self.pairs or self.variants)

    @property
    def num_compared(self) -> int:
        """Size of the family that p is corrected over."""
        sizes = (p.compared.family_size for p in self.pairs or self.variants if p.compared)
        return next(sizes, 0)


def _judged(read: Material, options: Options, defaults: Flat) -> _Judged:
    chosen, plans = read.chosen, Plans(read.chosen.runs)
    rule = rule_of(options, read.metric, plans)
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
    return _Judged(groups, keys, variants, pairs, plans, rule)


def _report(
    collected: Collected,
    options: Options,
    defaults: Flat,
    read: Material,
    made: _Judged,
    inputs: Inputs,
    sections: Computed,
) -> Report:
    """The value, of what was judged and computed."""
    variants, rule = made.variants, made.rule
    return Report(
        title=select.title_of(collected.sources),
        sources=tuple(str(source) for source in collected.sources),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        metric=read.metric,
        level=options.level,
        rule=rule,
        rule_text=wording.rule_text(rule, options.level, variants),
        headline="",  # of the whole value, below
        besides=besides(made.groups, variants, made.pairs, read.selector, read.metric),
        counts=wording.counts(variants, collected),
        variants=variants,
        runs=tuple(_run_rows(made.groups, read.metric, read.stuck)),
        factor_keys=made.keys,
        warnings=(*_warnings(read, inputs), *_unlike_plans(read, made), *sections.warnings),
        notes=(
            *read.notes,
            *_family_note(made),
            *sections.notes,
            *seconds_note(inputs.seconds_differ),
        ),
        missing=(*_missing(read, made, options, defaults), *read.chosen.missing),
        skipped=tuple(Left(str(s.folder), s.reason) for s in collected.skipped),
        mirror=mirror_of(made.groups),
        selector=read.selector if read.chosen.keys else None,
        main=read.guess.task.main,
        seconds_differ=inputs.seconds_differ,
        num_comparisons=made.num_compared,
        undone=read.undone,
        asked=asked_of(collected.sources),
        cautions=(
            *so_far(read.undone, variants),
            *cautions(
                made.groups, variants, read.metric, rule, sorted(read.chosen.keys),
                made.num_compared,
            ),
        ),
        parts=sections.parts,
        guess=read.guess.of(read.metric),
    )  # fmt: skip


def _missing(
    read: Material, made: _Judged, options: Options, defaults: Flat
) -> tuple[Missing, ...]:
    return missing_runs(
        made.groups,
        made.keys,
        defaults,
        is_by_hand=options.baseline != AUTO,
        tried=values_tried(read.runs, read.chosen.keys),
        names=[v.label for v in made.variants],
    )


def _inputs(read: Material, made: _Judged, options: Options, images: Images | None) -> Inputs:
    return Inputs(
        groups=made.groups,
        variants=made.variants,
        keys=made.keys,
        runs=read.chosen.runs,
        metric=read.metric,
        selector=read.selector,
        task=read.guess.task,
        options=options,
        subjects=read.subjects,
        weighed=_weighed(read, options),
        images=images,
        seconds_differ=why_seconds_differ(made.groups),
        pairs=made.pairs,
    )


def _warnings(read: Material, inputs: Inputs) -> tuple[str, ...]:
    """The warnings, the most serious first."""
    tuned, groups, variants, keys = read.chosen.keys, inputs.groups, inputs.variants, inputs.keys
    by_hand = [run for run in read.runs if tuned or read.samplers[run.folder] == GRID]
    return (
        *not_shown(variants, keys),
        *unequal_budgets(by_hand, tuned, read.samplers),
        *([] if tuned else unequal_searches(read.subjects)),
        *unequal_updates(groups, [v.label for v in variants]),
        *unlike_sizes(groups, variants, keys),
        *unlike_surroundings(groups, variants, keys),
        *read.chosen.warnings,
        *warnings_of(read.chosen.runs, groups, read.metric, read.guess.task),
    )


def _weighed(read: Material, options: Options) -> list[Subject]:
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


def _unlike_plans(read: Material, made: _Judged) -> tuple[str, ...]:
    """Where these comparisons differ from what was planned."""
    compared = [made.groups[v.key] for v in made.variants if v.compared]
    return made.plans.notes(compared, made.rule, read.metric.name)


def _family_note(made: _Judged) -> tuple[str, ...]:
    """That p is corrected over more comparisons than there are here."""
    here, size = made.num_here, made.num_compared
    text = f"p is corrected over {size} comparisons, as planned, and {here} are here"
    return (text,) if here < size and made.rule.correction != "none" else ()


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
