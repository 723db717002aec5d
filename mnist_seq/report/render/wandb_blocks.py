"""The blocks of a W&B report: the page's headline, table and charts, with W&B's own panels.

The tables go in as text, so that their numbers are those of the other renderings. W&B's panels show
what W&B computes: means and standard errors of what was mirrored.
"""

import importlib
import os
import warnings
from collections.abc import Sequence
from typing import Any

from mnist_seq.report.charts import style
from mnist_seq.report.markup.escape import for_wandb
from mnist_seq.report.markup.markdown_table import markdown_table
from mnist_seq.report.paper.methods import paragraph
from mnist_seq.report.paper.statistics import tests, verdict_text
from mnist_seq.report.render.markdown import small_table, verdict_table
from mnist_seq.report.render.page.head import dek
from mnist_seq.report.sections import sections_of, tables_of
from mnist_seq.report.sections.facts import Facts
from mnist_seq.report.sections.methods import Methods
from mnist_seq.report.texts import answer, words
from mnist_seq.report.texts.headline import headline
from mnist_seq.report.texts.notices import notices
from mnist_seq.report.value import Report


def library() -> Any:
    """The package wandb, without the variables that it may refuse."""
    empty = [n for n, v in os.environ.items() if n.startswith("WANDB_") and not v]
    for name in ("WANDB_RESUME", *empty):
        os.environ.pop(name, None)  # wandb may refuse them, and they say nothing of a report
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_SILENT", "true")
    return importlib.import_module("wandb")


def _workspaces() -> Any:
    """W&B's report blocks; by name, since their types are not exported."""
    library()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own code, which no reader of a report can mend
        return importlib.import_module("wandb_workspaces.reports.v2")


def compose(report: Report, *, is_online: bool) -> Any:
    """The report in W&B's blocks.

    Args:
        is_online: runsets name entity and project; offline they must not, or W&B is asked for them.
    """
    wr = _workspaces()
    title = for_wandb(f"{report.title}: comparison with the baseline").replace("/", "-")[:128]
    known, setup = Facts.of(report), Methods.of(report)
    facts = [f"{f.name}: {', '.join(filter(None, (f.value, f.more)))}" for f in known.facts] if (
        known
    ) else []  # fmt: skip
    judged = " ".join(text for text, _ in tests(report, is_caption=True))
    verdicts = said[0] if (said := verdict_text(report)) else ""
    blocks = [
        wr.H1(for_wandb(" ".join(headline(report)))),
        wr.P(for_wandb(" ".join([*dek(report), f"{report.counts}."]))),
        *([wr.P(for_wandb(f"{'. '.join(facts)}."))] if facts else []),
        *(wr.P(for_wandb(f"{notice.title} {notice.text}".strip())) for notice in notices(report)),
        wr.MarkdownBlock(_answer(report)),
        wr.P(for_wandb(" ".join(filter(None, [judged, verdicts, report.cautioned])))),
        wr.H2("Learning curves and costs"),
        _variants_grid(report, is_online=is_online),
        *_further(report),
        wr.H2("Runs and settings"),
        _runs_grid(report, is_online=is_online),
        wr.H2("All columns"),
        wr.MarkdownBlock(verdict_table(report)),
        wr.P(for_wandb(f"Declared rule: {report.rule_text}.")),
    ]
    if setup is not None:
        blocks += [wr.H2("Methods"), wr.P(for_wandb(paragraph(report, setup)))]
    return wr.Report(
        # an entity that is left out is asked for at the server
        entity=report.mirror.entity or ("offline" if not is_online else ""),
        project=report.mirror.project or "mnist_seq",
        title=title,
        description=for_wandb(" ".join(headline(report))),
        blocks=blocks,
        width="fluid",
    )


def _answer(report: Report) -> str:
    """The table of the page's top as Markdown; a variant has its family in its name."""
    names = words.labels(report)
    rows = [(names[v.key], *answer.cells(report, v)) for v in report.variants]
    numeric = [False, *[True] * (len(answer.header(report)) - 2), False]
    return markdown_table(("variant", *answer.header(report)[1:]), rows, numeric)


def _further(report: Report) -> list[Any]:
    wr = _workspaces()
    return [
        block
        for table in tables_of(report, "wandb")
        for block in (
            wr.H2(for_wandb(table.title)),
            wr.MarkdownBlock(small_table(table)),
            wr.P(for_wandb(table.caption)),
        )
    ]


def _variants_grid(report: Report, *, is_online: bool) -> Any:
    wr = _workspaces()
    at = wr.Layout
    keys = report.factor_keys or ("model.name",)
    by_variant = _runset(
        report,
        is_online=is_online,
        name="by variant",
        groupby=[f"config.{key}" for key in keys],
        order=[wr.OrderBy(wr.SummaryMetric(report.metric.name))],
        pinned_columns=["run:displayName", f"summary:{report.metric.name}"],
    )
    grouping = wr.Config(keys[0])
    curve = f"valid/{report.main}"
    panels = [
        wr.LinePlot(title=curve, x="Step", y=[curve], groupby=grouping, groupby_aggfunc="mean",
                    groupby_rangefunc="stderr", smoothing_factor=0.0, layout=at(0, 0, 12, 8)),
        wr.LinePlot(title="train/loss", x="Step", y=["train/loss"], log_y=True, groupby=grouping,
                    groupby_aggfunc="mean", groupby_rangefunc="stderr", smoothing_factor=0.0,
                    layout=at(12, 0, 12, 8)),
        wr.BarPlot(title=f"{report.metric.name}, mean and standard error over runs",
                   metrics=[wr.SummaryMetric(report.metric.name)], groupby=grouping,
                   groupby_aggfunc="mean", groupby_rangefunc="stderr", layout=at(0, 8, 8, 7)),
        *(
            wr.ScatterPlot(title=f"{report.metric.name} against {what}", x=wr.SummaryMetric(key),
                           y=wr.SummaryMetric(report.metric.name), log_x=True,
                           layout=at(8 + 8 * i, 8, 8, 7))
            for i, (key, what) in enumerate((("num_params", "parameters"),
                                             ("seconds", "seconds of training")))
        ),
    ]  # fmt: skip
    logged = [name for section, _ in sections_of(report) for name in section.logged]
    panels += [
        wr.LinePlot(title=name, x="Step", y=[name], groupby=grouping, groupby_aggfunc="mean",
                    groupby_rangefunc="minmax", smoothing_factor=0.0,
                    layout=at(8 * (i % 3), 15 + 7 * (i // 3), 8, 7))
        for i, name in enumerate(logged)
    ]  # fmt: skip
    return wr.PanelGrid(
        runsets=[*_baselines(report, is_online=is_online), by_variant], panels=panels
    )


def _baselines(report: Report, *, is_online: bool) -> list[Any]:
    """The baseline's runs as a set of their own, in its colour: reports know no pinned baseline."""
    wr = _workspaces()
    found = [(v, run) for v in report.variants if v.is_baseline for run in report.mirror.ids[v.key]]
    if not found:
        return []
    cells = style.cell_styles(v.cell for v in report.variants)
    colors = {run: wr.RunSettings(color=cells[v.cell].color) for v, run in found}
    return [
        _runset(
            report,
            is_online=is_online,
            name=for_wandb(f"baseline: {'; '.join(dict.fromkeys(v.label for v, _ in found))}"),
            filters=_is_one_of("ID", [run for _, run in found]),
            run_settings=colors,
        )
    ]


def _runs_grid(report: Report, *, is_online: bool) -> Any:
    wr = _workspaces()
    at = wr.Layout
    metric = wr.SummaryMetric(report.metric.name)
    axes = [wr.Config(key) for key in report.factor_keys]
    columns = [wr.ParallelCoordinatesPlotColumn(axis) for axis in (*axes, metric)]
    panels = [
        wr.ParallelCoordinatesPlot(columns=columns, layout=at(0, 0, 24, 8)),
        wr.ParameterImportancePlot(with_respect_to=report.metric.name, layout=at(0, 8, 24, 8)),
        wr.RunComparer(diff_only="split", layout=at(0, 16, 24, 10)),
    ]  # fmt: skip
    runset = _runset(report, is_online=is_online, name="all runs")
    return wr.PanelGrid(runsets=[runset], panels=panels)


def _runset(report: Report, *, is_online: bool, **options: Any) -> Any:
    wr = _workspaces()
    place = {"project": report.mirror.project} if is_online else {}
    if is_online and report.mirror.entity:
        place["entity"] = report.mirror.entity
    groups = _is_one_of("Group", report.mirror.groups)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return wr.Runset(**{"filters": groups, **place, **options})


def _is_one_of(metric: str, texts: Sequence[str]) -> str:
    """A filter as W&B's library reads it.

    The library replaces = and < in the whole filter, also in names; so letters and digits alone
    stand as they are.
    """
    names = (
        "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in text)
        for text in texts
    )
    listed = ", ".join(f"'{name}'" for name in names)
    return f'Metric("{metric}") in [{listed}]'
