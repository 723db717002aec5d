"""The runs of a comparison, and what is decided about them before anything is compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mnist_seq.report.analyse.guess import Guess, guess_of, not_learning
from mnist_seq.report.analyse.missing import undone
from mnist_seq.report.analyse.readings import Plans
from mnist_seq.report.analyse.searches import Subject, samplers_of, subjects_of
from mnist_seq.report.analyse.tuning import Chosen, choose
from mnist_seq.report.options import AUTO, Options
from mnist_seq.report.read import select
from mnist_seq.report.read.collect import Collected
from mnist_seq.report.read.metric import Metric, find_metric, find_selector, task_of
from mnist_seq.report.read.run import Run
from mnist_seq.stats import Rule


@dataclass(frozen=True)
class Material:
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


def material(collected: Collected, options: Options) -> Material:
    """Select the runs, and for each variant those with the chosen values."""
    asked = select.keep_where(collected.runs, options.where)
    main = task_of(asked).main
    metric = find_metric(f"test/{main}" if options.metric == AUTO else options.metric, asked)
    selector = find_selector(f"valid/{main}" if options.select == AUTO else options.select, asked)
    runs, twice = select.drop_duplicates(asked, metric.of, options.duplicates)
    select.check_comparable(runs)
    guess, samplers = guess_of(runs), samplers_of(runs)
    chosen = choose(runs, selector, options.over, samplers, guess=guess)
    return Material(
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


def rule_of(options: Options, metric: Metric, plans: Plans) -> Rule:
    """The declared rule; where no margin is asked for, with that of the sweep's plan."""
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


def _filter_note(options: Options, num_chosen: int, num_runs: int) -> tuple[str, ...]:
    if options.where == "all":
        return ()
    return (f"only runs with {options.where}: {num_chosen} of {num_runs}",)
