"""Mean ranks of variants over several tasks, and what Friedman's test says of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from mnist_seq.report.charts.base import INK, ROW, tooltip
from mnist_seq.report.charts.figure import Drawing, Figure, Panel, Tables
from mnist_seq.report.charts.page.ranking import Row, ranking
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report
from mnist_seq.runs.text import plural
from mnist_seq.stats import Friedman, friedman, mean_rank_intervals, ranks
from mnist_seq.stats.ranking.ranks import FEWEST_CELLS, FEWEST_TASKS

_BAR = " A bar joins variants that are not told apart over tasks."
_LOST = ("diverged", "failed")
_FORMATS = ("html", "markdown", "terminal")  # a report in W&B is about one task


@dataclass(frozen=True)
class Ranked:
    """A variant that has runs on all tasks.

    Attributes:
        name: of the variant in report.csv; `label`: for people.
        by_task: its rank on each task, 1 is best; by the mean over seeds, where each run that
            diverged or failed counts as a guess.
        low, high: bootstrap interval of the mean rank over seeds; NaN where a task has one seed.
    """

    name: str
    by_task: tuple[float, ...]
    mean: float
    low: float
    high: float
    label: str


@dataclass(frozen=True)
class Ranking:
    """The ranks over all tasks.

    Attributes:
        ranked: best mean rank first.
        left: labels of variants that lack runs on some task, and have no rank.
        noise: tasks on which no run is shown to learn.
        test: over the ranks; None where there are too few tasks or variants.
    """

    tasks: tuple[str, ...]
    ranked: tuple[Ranked, ...]
    left: tuple[str, ...]
    noise: tuple[str, ...]
    test: Friedman | None
    level: float


class Ranks(Section[Ranking]):
    """Needs two variants with runs on all of several tasks."""

    order = 6.0
    figures = ("ranks",)
    heading = "Ranks over tasks"
    lead = "1 is best on a task; only ranks are averaged over tasks, never values."
    of_tasks = True

    def compute(self, inputs: Inputs) -> Ranking | None:
        """Ranks by the means; no mean of values of different tasks."""
        reports = inputs.tasks
        labels: dict[str, str] = {}
        for v in (v for own in reports.values() for v in own.variants):
            labels.setdefault(v.name, v.label)
        names = list(labels)
        seeds = {name: [_seeds(name, own) for own in reports.values()] for name in names}
        complete = [name for name in names if all(seeds[name])]
        if len(complete) < 2 or len(reports) < 2:
            return None
        found = _ranked(
            {name: seeds[name] for name in complete}, labels, reports, inputs.options.level
        )
        has_test = len(complete) >= FEWEST_CELLS and len(reports) >= FEWEST_TASKS
        by_task = np.array([own.by_task for own in found])
        return Ranking(
            tasks=tuple(reports),
            ranked=found,
            left=tuple(labels[name] for name in names if name not in complete),
            noise=tuple(
                task
                for task, own in reports.items()
                if all(v.not_learning == v.n for v in own.variants)
            ),
            test=friedman(by_task, alpha=inputs.options.alpha) if has_test else None,
            level=inputs.options.level,
        )

    def tables(self, report: Report, part: Ranking) -> Sequence[Table]:
        """One row a variant."""
        rows = tuple(
            (own.label, fmt.number(own.mean, 2), fmt.interval(own.low, own.high, 2),
             *(f"{rank:g}" for rank in own.by_task))
            for own in part.ranked
        )  # fmt: skip
        ends = f"{fmt.percent(part.level)} interval over seeds"
        header = (
            "variant",
            "mean rank",
            ends,
            *(f"rank on {name}" for name in _names(part)),
        )
        return [Table("Ranks over tasks", header, rows, _caption(part), formats=_FORMATS)]

    def drawn(self, report: Report, part: Ranking) -> Sequence[Drawing]:
        """The same as the figure."""
        rows = [
            Row(own.label, dict(zip(_names(part), own.by_task, strict=True)), own.mean, own.low,
                own.high)
            for own in part.ranked
        ]  # fmt: skip
        bars = part.test.groups if part.test else ()
        caption = f"Large circles: mean ranks; lines: their intervals over seeds; small circles: " \
                  f"each task.{_BAR if bars else ''} {_caption(part)}"  # fmt: skip
        return [Drawing("", ranking(rows, bars, "Ranks over tasks"), caption)]

    def charts(self, report: Report, part: Ranking) -> Sequence[Figure]:
        """Mean ranks with their intervals, and bars over those that are not told apart."""
        caption = "Points: mean ranks; lines: their intervals over seeds; ticks: each task."
        caption += _BAR if part.test is not None else ""
        return [Figure("ranks", "Ranks over tasks", caption, (_panel(part),))]


def _names(part: Ranking) -> list[str]:
    """The tasks for people."""
    return [words.data(task) for task in part.tasks]


def _seeds(name: str, report: Report) -> dict[int, float]:
    """The values of a variant on a task by seed, a run that is lost counted as a guess."""
    keys = {v.key for v in report.variants if v.name == name}
    found = {}
    for run in report.runs:
        value = report.guess if run.state in _LOST else run.value
        if run.variant in keys and not math.isnan(value):
            found[run.seed] = value
    return found


def _ranked(
    seeds: Mapping[str, list[dict[int, float]]],
    labels: Mapping[str, str],
    reports: Mapping[str, Report],
    level: float,
) -> tuple[Ranked, ...]:
    """The variants with their ranks, best first.

    Args:
        seeds: by variant, for each task its values by seed.
    """
    better = [report.metric.higher_is_better for report in reports.values()]
    means = np.array([[np.mean(list(own.values())) for own in tasks] for tasks in seeds.values()])
    places = ranks(means, better)
    common = []
    for own in zip(*seeds.values(), strict=True):
        shared = sorted(set.intersection(*map(set, own)))
        common.append(np.array([[values[seed] for seed in shared] for values in own]))
    ends = None
    if all(values.shape[1] > 1 for values in common):
        ends = mean_rank_intervals(common, better, level=level)
    found = [
        Ranked(
            name,
            tuple(map(float, places[i])),
            float(places[i].mean()),
            ends[i].low if ends else math.nan,
            ends[i].high if ends else math.nan,
            labels[name],
        )
        for i, name in enumerate(seeds)
    ]
    return tuple(sorted(found, key=lambda own: own.mean))


def _caption(part: Ranking) -> str:
    """What the ranks are, and what the test over them says."""
    parts = [
        "1 is best on a task, by the mean over seeds; a run that diverged or failed counts as a "
        f"guess. Intervals: {fmt.percent(part.level)}, bootstrap over the seeds of these "
        f"{plural(len(part.tasks), 'task')}; they do not cover other tasks."
    ]
    if part.test is not None:
        parts.append(_test_text(part.test))
    else:
        parts.append(
            f"Friedman's test needs {FEWEST_TASKS} tasks and {FEWEST_CELLS} variants, so nothing "
            "is tested over tasks."
        )
    if part.noise:
        noise = fmt.joined([words.data(task) for task in part.noise])
        parts.append(f"No run is shown to learn on {noise}: ranks there are noise.")
    if part.left:
        parts.append(f"Without a rank, since a task lacks them: {fmt.joined(part.left)}.")
    return " ".join(parts)


def _test_text(test: Friedman) -> str:
    text = (
        f"Friedman's test over {test.num_tasks} tasks: chi-squared "
        f"{fmt.number(test.statistic, 2)}, {fmt.p_equation(test.p, test.alpha)}. Critical "
        f"difference of two mean ranks (Nemenyi, {test.alpha:g}): "
        f"{fmt.number(test.critical_difference, 2)}."
    )
    if test.p >= test.alpha:
        text += " The test does not reject that all rank alike, so no two are told apart."
    return text


def _panel(part: Ranking) -> Panel:
    tables, order = Tables(), [own.label for own in part.ranked]
    num_bars = len(part.test.groups) if part.test else 0
    right = len(order) + (0.25 + 0.2 * num_bars if num_bars else 0)
    scale = alt.Scale(domain=[0.8, right + 0.2], nice=False)
    axis = alt.Axis(values=list(range(1, len(order) + 1)), format="d")

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title="rank, 1 is best", scale=scale, axis=axis)

    y = alt.Y("variant:N", sort=order, title=None,
              axis=alt.Axis(grid=False, ticks=False, domain=False, labelPadding=8))  # fmt: skip
    each = [
        {"variant": own.label, "task": task, "rank": rank, "said": f"{rank:g}"}
        for own in part.ranked
        for task, rank in zip(_names(part), own.by_task, strict=True)
    ]
    layers: list[Any] = [
        alt.Chart(tables.add(each))
        .mark_tick(thickness=2, size=12, color="#88888880")
        .encode(x=x("rank"), y=y, tooltip=tooltip(variant="variant", task="task", said="rank"))
    ]
    about = tooltip(variant="variant", said="mean rank", interval="interval over seeds")
    rows = [_row(own) for own in part.ranked]
    ends = [row for row in rows if "low" in row]
    if ends:
        rule = alt.Chart(tables.add(ends)).mark_rule(strokeWidth=2.5, color=INK)
        layers.append(rule.encode(x=x("low"), x2="high:Q", y=y, tooltip=about))
    point = alt.Chart(tables.add(rows)).mark_point(size=110, filled=True, opacity=1, color=INK)
    layers.append(point.encode(x=x("mean"), y=y, tooltip=about))
    if part.test is not None and num_bars:
        bars = [
            {"at": len(order) + 0.25 + 0.2 * i, "first": order[own[0]], "last": order[own[-1]]}
            for i, own in enumerate(part.test.groups)
        ]
        bar = alt.Chart(tables.add(bars)).mark_rule(strokeWidth=5, color=INK, strokeOpacity=0.7)
        layers.append(bar.encode(x=x("at"), y=alt.Y("first:N", sort=order), y2="last:N"))
    chart = alt.layer(*layers).properties(height=ROW * len(order) + 10)
    return Panel("", chart, tables)


def _row(own: Ranked) -> dict[str, Any]:
    row = {
        "variant": own.label,
        "mean": own.mean,
        "said": fmt.number(own.mean, 2),
        "interval": fmt.interval(own.low, own.high, 2),
    }
    return row if math.isnan(own.low) else {**row, "low": own.low, "high": own.high}
