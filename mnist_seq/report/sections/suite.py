"""Several tasks side by side: what each variant got on each of them, and its mean rank."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from mnist_seq.report import wording
from mnist_seq.report.charts.base import INK, ROW, tooltip
from mnist_seq.report.charts.figure import Figure, Panel, Tables
from mnist_seq.report.read.metric import Metric
from mnist_seq.report.sections import Inputs, Section, Table
from mnist_seq.report.value import Report, Variant
from mnist_seq.runs.text import plural
from mnist_seq.stats import Friedman, friedman, mean_rank_intervals, ranks
from mnist_seq.stats.ranking.ranks import FEWEST_CELLS, FEWEST_TASKS

_LOST = ("diverged", "failed")
_FORMATS = ("html", "markdown", "terminal")  # a report in W&B is about one task


@dataclass(frozen=True)
class Ranked:
    """A variant that has runs on all tasks.

    Attributes:
        by_task: its rank on each task, 1 is best; by the mean over seeds, where each run that
            diverged or failed counts as a guess.
        low, high: bootstrap interval of the mean rank over seeds; NaN where a task has one seed.
    """

    name: str
    by_task: tuple[float, ...]
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Suite:
    """The grid of variants by tasks.

    Attributes:
        metrics: the metric of each task; num_comparisons: the family that its p is corrected over.
        entries: by name, the variant of each task; None where the task has none of this name.
        ranked: best mean rank first; empty where fewer than two variants have runs on all tasks.
        left: names of variants that lack runs on some task, and have no rank.
        test: over the ranks; None where there are too few tasks or variants.
    """

    metrics: Mapping[str, Metric]
    num_comparisons: Mapping[str, int]
    entries: Mapping[str, tuple[Variant | None, ...]]
    ranked: tuple[Ranked, ...]
    left: tuple[str, ...]
    test: Friedman | None
    level: float
    correction: str


class SuiteOfTasks(Section[Suite]):
    """Needs runs of two tasks."""

    order = 5.0
    figures = ("ranks",)
    of_tasks = True

    def compute(self, inputs: Inputs) -> Suite | None:
        """Variants of different tasks go together by their names, the keys that vary in a task."""
        reports = inputs.tasks
        if len(reports) < 2:
            return None
        by_name = [{v.name: v for v in report.variants} for report in reports.values()]
        names = list(dict.fromkeys(name for own in by_name for name in own))
        seeds = {name: _seeds(name, reports) for name in names}
        complete = [name for name in names if all(seeds[name])]
        ranked, test = _ranked(complete, seeds, reports, inputs)
        return Suite(
            metrics={task: report.metric for task, report in reports.items()},
            num_comparisons={task: report.num_comparisons for task, report in reports.items()},
            entries={name: tuple(own.get(name) for own in by_name) for name in names},
            ranked=ranked,
            left=tuple(name for name in names if name not in complete),
            test=test,
            level=inputs.options.level,
            correction=inputs.options.correction,
        )

    def tables(self, report: Report, part: Suite) -> Sequence[Table]:
        """The grid, and the ranks."""
        metrics = part.metrics
        header = ("variant", *(f"{task}: {metrics[task].title}" for task in metrics))
        rows = tuple(
            (name, *(_entry(v, metric) for v, metric in zip(own, metrics.values(), strict=True)))
            for name, own in part.entries.items()
        )
        caption = _caption(part)
        tables = [Table("Variants by tasks", header, rows, caption, "tasks", formats=_FORMATS)]
        if part.ranked:
            ends = f"{wording.percent(part.level)} interval over seeds"
            ranked = tuple(
                (own.name, wording.number(own.mean, 2), wording.span(own.low, own.high, 2),
                 *(f"{rank:g}" for rank in own.by_task))
                for own in part.ranked
            )  # fmt: skip
            head = ("variant", "mean rank", ends, *(f"rank on {task}" for task in metrics))
            caption = _ranks_caption(part)
            tables.append(
                Table("Ranks over tasks", head, ranked, caption, "ranks", formats=_FORMATS)
            )
        return tables

    def charts(self, report: Report, part: Suite) -> Sequence[Figure]:
        """Mean ranks with their intervals, and bars over those that are not told apart."""
        if not part.ranked:
            return []
        caption = (
            "Points: mean ranks; lines: their intervals; ticks: the rank on each task. "
            f"{_ranks_caption(part)}"
        )
        return [Figure("ranks", "Ranks over tasks", caption, (_panel(part),))]


def _seeds(name: str, reports: Mapping[str, Report]) -> list[dict[int, float]]:
    """The values of a variant on each task by seed, a run that is lost counted as a guess."""
    found = []
    for report in reports.values():
        keys = {v.key for v in report.variants if v.name == name}
        values = {}
        for run in report.runs:
            value = report.guess if run.state in _LOST else run.value
            if run.variant in keys and not math.isnan(value):
                values[run.seed] = value
        found.append(values)
    return found


def _ranked(
    names: Sequence[str],
    seeds: Mapping[str, list[dict[int, float]]],
    reports: Mapping[str, Report],
    inputs: Inputs,
) -> tuple[tuple[Ranked, ...], Friedman | None]:
    if len(names) < 2:
        return (), None
    better = [report.metric.higher_is_better for report in reports.values()]
    means = np.array([[np.mean(list(own.values())) for own in seeds[name]] for name in names])
    places = ranks(means, better)
    common = []
    for task in range(len(better)):
        shared = set.intersection(*(set(seeds[name][task]) for name in names))
        common.append(np.array([[seeds[name][task][s] for s in sorted(shared)] for name in names]))
    ends = None
    if all(values.shape[1] > 1 for values in common):
        ends = mean_rank_intervals(common, better, level=inputs.options.level)
    found = [
        Ranked(
            name,
            tuple(map(float, places[i])),
            float(places[i].mean()),
            ends[i].low if ends else math.nan,
            ends[i].high if ends else math.nan,
        )
        for i, name in enumerate(names)
    ]
    found.sort(key=lambda own: own.mean)
    if len(names) < FEWEST_CELLS or len(better) < FEWEST_TASKS:
        return tuple(found), None
    ordered = np.array([own.by_task for own in found])
    return tuple(found), friedman(ordered, alpha=inputs.options.alpha)


def _entry(v: Variant | None, metric: Metric) -> str:
    """Difference and verdict, with the mean; of a baseline the mean."""
    if v is None:
        return wording.NONE
    mean = wording.number(v.mean, metric.decimals)
    if v.compared is None:
        return f"{mean}, {v.word}" if v.word else mean
    return f"{wording.difference_cell(v, metric.decimals)} {wording.verdict_cell(v)} ({mean})"


def _caption(part: Suite) -> str:
    down = [task for task, metric in part.metrics.items() if not metric.higher_is_better]
    lower = f" Lower is better on {', '.join(down)}." if down else ""
    name = {"holm": "Holm", "bh": "Benjamini-Hochberg", "none": ""}[part.correction]
    families = wording.listed([f"{task} {num}" for task, num in part.num_comparisons.items()])
    p = f"p is corrected within a task ({name} over {families})" if name else "p is not corrected"
    return (
        "Difference to the baseline of the same task and the verdict on it; in brackets the mean "
        f"over seeds. Each task is judged on its own: {p}, and nothing is averaged over tasks."
        f"{lower}"
    )


def _ranks_caption(part: Suite) -> str:
    """What the ranks are, and what the test over them says."""
    parts = [
        "1 is best on a task, by the mean over seeds; a run that diverged or failed counts as a "
        f"guess. Intervals: {wording.percent(part.level)}, bootstrap over the seeds of these "
        f"{plural(len(part.metrics), 'task')}; they do not cover other tasks."
    ]
    if part.test is not None:
        parts.append(_test_text(part.test))
    else:
        parts.append(
            f"Friedman's test needs {FEWEST_TASKS} tasks and {FEWEST_CELLS} variants, so nothing "
            "is tested over tasks."
        )
    if part.left:
        parts.append(f"Without a rank, since a task lacks them: {wording.listed(part.left)}.")
    return " ".join(parts)


def _test_text(test: Friedman) -> str:
    p = wording.p_value(test.p)
    said = "p<.0001" if p.startswith("<") else f"p={p}"
    text = (
        f"Friedman's test over {test.num_tasks} tasks: chi-squared {test.statistic:.2f}, {said}. "
        f"Critical difference of two mean ranks (Nemenyi, {test.alpha:g}): "
        f"{test.critical_difference:.2f}; a bar joins variants that are not told apart."
    )
    if test.p >= test.alpha:
        text += " The test does not reject that all rank alike, so one bar joins all."
    return text


def _panel(part: Suite) -> Panel:
    tables, order = Tables(), [own.name for own in part.ranked]
    tasks = list(part.metrics)
    num_bars = len(part.test.groups) if part.test else 0
    right = len(order) + (0.25 + 0.2 * num_bars if num_bars else 0)
    scale = alt.Scale(domain=[0.8, right + 0.2], nice=False)
    axis = alt.Axis(values=list(range(1, len(order) + 1)), format="d")

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title="rank, 1 is best", scale=scale, axis=axis)

    y = alt.Y("variant:N", sort=order, title=None,
              axis=alt.Axis(grid=False, ticks=False, domain=False, labelPadding=8))  # fmt: skip
    each = [
        {"variant": own.name, "task": task, "rank": rank, "said": f"{rank:g}"}
        for own in part.ranked
        for task, rank in zip(tasks, own.by_task, strict=True)
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
        "variant": own.name,
        "mean": own.mean,
        "said": wording.number(own.mean, 2),
        "interval": wording.span(own.low, own.high, 2),
    }
    return row if math.isnan(own.low) else {**row, "low": own.low, "high": own.high}
