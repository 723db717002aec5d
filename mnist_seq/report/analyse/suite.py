"""Compares runs of one task, or of several, each of them on its own."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from mnist_seq.report import wording
from mnist_seq.report.analyse.predictions import Images
from mnist_seq.report.build import build
from mnist_seq.report.options import AUTO, Options
from mnist_seq.report.read import select
from mnist_seq.report.read.collect import Collected
from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.read.run import Run
from mnist_seq.report.sections import Computed, Inputs, computed, without_broken
from mnist_seq.report.texts import words
from mnist_seq.report.value import Left, Mirror, Report
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import Flat, task_name

_MOST_NAMED = 3  # variants of a task in the headline


def build_report(
    collected: Collected,
    options: Options,
    *,
    defaults: Flat,
    pictures: Callable[[Collected], Images] | None = None,
    is_table_only: bool = False,
) -> Report:
    """Compare the collected runs; those of several data sets one data set at a time.

    Args:
        defaults: flat config of `conf/train.yaml`, which says what the baseline is.
        pictures: of the test set of some runs; without it images are named by their index.
        is_table_only: compute the verdict tables only, without sections.

    Raises:
        CannotCompare: the runs must not be compared, or not as requested.
    """
    tasks: dict[str, list[Run]] = {}
    for run in select.keep_where(collected.runs, options.where):
        tasks.setdefault(task_name(run.variant), []).append(run)
    if len(tasks) == 1:
        return build(
            collected,
            options,
            defaults=defaults,
            images=pictures(collected) if pictures else None,
            is_table_only=is_table_only,
        )
    reports = {}
    for task, runs in tasks.items():
        own = replace(collected, runs=tuple(runs), skipped=())
        try:
            report = build(
                own,
                options,
                defaults=defaults,
                images=pictures(own) if pictures else None,
                is_table_only=is_table_only,
            )
        except CannotCompare as error:
            raise CannotCompare(f"{task}: {error}") from None
        reports[task] = replace(report, title=f"{report.title}: {words.data(task)}")
    _check_margin(reports)
    return _together(reports, collected, options, is_table_only=is_table_only)


def _check_margin(reports: Mapping[str, Report]) -> None:
    """Refuse one margin for metrics of several units.

    Raises:
        CannotCompare: the metrics have several units.
    """
    units = {f"{report.metric.name} ({report.metric.points or 'no unit'})": report.metric.points
             for report in reports.values()}  # fmt: skip
    if next(iter(reports.values())).rule.margin is not None and len(set(units.values())) > 1:
        raise CannotCompare(
            f"a margin is in the unit of one metric, and these tasks have {' and '.join(units)}; "
            f"write margin=none, or compare each on its own: where='data={next(iter(reports))}'"
        )


def check_one_task(report: Report, what: str) -> Report:
    """Refuse several tasks where one is expected.

    Raises:
        CannotCompare: it has several.
    """
    if report.tasks:
        raise CannotCompare(
            f"{what} is about one task, and these runs have {', '.join(report.tasks)}; "
            f"choose one: where='data={next(iter(report.tasks))}'"
        )
    return report


def _together(
    reports: Mapping[str, Report],
    collected: Collected,
    options: Options,
    *,
    is_table_only: bool,
) -> Report:
    first = next(iter(reports.values()))
    inputs = Inputs(
        groups=(),
        variants=tuple(v for report in reports.values() for v in report.variants),
        keys=(),
        runs=select.keep_where(collected.runs, options.where),
        metric=first.metric,
        selector=first.selector or first.metric,
        task=collected.runs[0].task,
        options=options,
        subjects=(),
        weighed=(),
        tasks=reports,
    )
    sections = Computed({}, (), ()) if is_table_only else computed(inputs)
    report = Report(
        title=select.title_of(collected.sources),
        sources=first.sources,
        created=first.created,
        metric=first.metric,
        level=options.level,
        rule=first.rule,
        rule_text=_rule_text(reports, options),
        headline=_headline(reports),
        counts=_counts(reports, collected),
        variants=(),
        runs=(),
        factor_keys=(),
        warnings=sections.warnings,
        notes=sections.notes,
        missing=(),
        skipped=tuple(Left(str(s.folder), s.reason) for s in collected.skipped),
        mirror=Mirror("", "", (), {}),
        asked=first.asked,
        main=first.main,
        parts=sections.parts,
        tasks=reports,
    )
    return without_broken(report)


def _rule_text(reports: Mapping[str, Report], options: Options) -> str:
    families = [f"{words.data(task)} {report.num_comparisons}" for task, report in reports.items()]
    name = {"holm": "Holm", "bh": "Benjamini-Hochberg", "none": ""}[options.correction]
    over = f"over the comparisons of one task ({wording.listed(families)}), and not over tasks"
    p = f"p is corrected by {name} {over}" if name else "p is not corrected"
    by = "" if options.metric == AUTO else f" by {options.metric}"
    return (
        f"each task is judged on its own{by}, with its own baseline; {p}; differences are never "
        "averaged over tasks"
    )


def _headline(reports: Mapping[str, Report]) -> str:
    """Which variants beat their baseline on which task."""
    said: dict[str, list[str]] = {}
    for task, report in reports.items():
        better = [v.label for v in report.variants if v.word == "better"]
        if not any(v.compared for v in report.variants):
            text = "nothing could be compared"
        elif better:
            more = f" and {len(better) - _MOST_NAMED} more" if better[_MOST_NAMED:] else ""
            names = ", ".join(better[:_MOST_NAMED])
            text = f"{names}{more} {'beats' if len(better) == 1 else 'beat'} the baseline"
        elif any(v.word == "so far" for v in report.variants):
            text = "no verdict so far"
        else:
            text = "nothing beats the baseline"
        said.setdefault(text, []).append(words.data(task))
    parts = [f"{', '.join(tasks)}: {text}" for text, tasks in said.items()]
    return f"{plural(len(reports), 'task')}, each on its own. {'; '.join(parts)}."


def _counts(reports: Mapping[str, Report], collected: Collected) -> str:
    variants = [v for report in reports.values() for v in report.variants]
    return f"{wording.counts(variants, collected)} on {plural(len(reports), 'task')}"
