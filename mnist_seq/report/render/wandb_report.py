"""A W&B report of a comparison: published where W&B is at hand, else kept as its specification.

The verdict table goes in as text, so that its numbers are those of the other renderings. W&B's own
panels show what W&B computes: means and standard errors of what was mirrored.
"""

import importlib
import json
import logging
import os
import queue
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnist_seq.report.charts import style
from mnist_seq.report.markup.escape import for_wandb
from mnist_seq.report.render.markdown import small_table, verdict_table
from mnist_seq.report.sections import sections_of, tables_of
from mnist_seq.report.value import Report
from mnist_seq.runs.files import write_text
from mnist_seq.runs.text import cut

NAME = "wandb_report.json"
_NO_KEY = "credentials did not work"
PATIENCE = 60.0  # seconds until W&B must have taken the report
log = logging.getLogger("mnist_seq.report")
_LATER = (
    "once `wandb login` has stored a key and the runs are in W&B (`python -m mnist_seq.sync`), the "
    "same command publishes it"
)


def publish(report: Report, folder: Path) -> list[str]:
    """Publish the report in the place of this folder's last one, or say why not.

    Returns:
        What happened, one line each.
    """
    path = folder / NAME
    known, specified = _published(path), specification(report)
    _write(path, {**specified, "published": known})
    lines = [f"written: {path}"]
    if why := _why_offline(report):
        return [*lines, f"W&B report: not published, {why}; {_LATER}"]
    answers: queue.SimpleQueue[tuple[str, dict[str, str]]] = queue.SimpleQueue()
    # On a thread, since a server that does not answer holds a save for minutes
    threading.Thread(target=lambda: answers.put(_saved(report, known)), daemon=True).start()
    try:
        line, place = answers.get(timeout=PATIENCE)
        _write(path, {**specified, "published": place or known})
        return [*lines, line]
    except queue.Empty:
        why = f"W&B did not answer in {PATIENCE:g} s"
        return [*lines, f"W&B report: not published, {why}; {_LATER}"]


def specification(report: Report) -> dict[str, Any]:
    """The report as W&B stores it, made without a server, a key or a network."""
    model = _compose(report, is_online=False)._to_model()
    spec = json.loads(model.spec.model_dump_json(by_alias=True, exclude_none=True))
    return {"title": model.display_name, "project": report.mirror.project, "spec": spec}


def _why_offline(report: Report) -> str:
    if not report.mirror.project:
        return "the runs have no W&B project (tracker=none)"
    if (given := os.environ.get("WANDB_DISABLED", "")).lower() in ("true", "1", "yes"):
        return f"WANDB_DISABLED={given}"
    if os.environ.get("WANDB_MODE") in ("offline", "dryrun", "disabled"):
        return f"WANDB_MODE={os.environ['WANDB_MODE']}"
    if not any(report.mirror.ids.values()):
        return "none of the runs was mirrored to W&B"
    try:
        wandb = _library()
        has_key = wandb.login(prompt=False, verify=False)
    except Exception as error:  # whatever wandb raises here, the answer is offline, and says why
        is_asked = type(error).__module__.startswith("wandb.")  # else a variable is wrong
        return f"{_NO_KEY if is_asked else 'wandb does not start'} ({_reason(error)})"
    return "" if has_key else "no credentials"


def _saved(report: Report, known: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Save the report in the place of its last one, or as a new one.

    Returns:
        The line that says so, and where it is; or why not, and nothing.
    """
    try:
        report = _owned(report)
        made = _compose(report, is_online=True)
        place = {"entity": report.mirror.entity, "project": report.mirror.project}
        if not (known.items() >= place.items() and _has_replaced(made, known["id"])):
            made.save()
        return f"W&B report: {made.url}", {"id": made.id, **place}
    except Exception as error:  # a report on the disk is no worse for it
        return f"W&B report: not published, {_reason(error)}; {_LATER}", {}


def _owned(report: Report) -> Report:
    """The report with its entity, which W&B is asked for where no run.json names one.

    Raises:
        Exception: W&B does not answer, or names none. An address without it leads nowhere.
    """
    if report.mirror.entity:
        return report
    entity = os.environ.get("WANDB_ENTITY") or _library().Api().default_entity
    if not entity:
        raise ValueError("W&B names no entity for this account; set WANDB_ENTITY")
    return replace(report, mirror=replace(report.mirror, entity=str(entity)))


def _has_replaced(made: Any, report_id: str) -> bool:
    """Save a report in the place of another one, which may have been deleted there."""
    made.id = report_id
    try:
        made.save()
    except Exception as error:  # in many ways; a report of its own may be taken all the same
        log.debug("W&B's report could not be replaced: %s", _reason(error))
        made.id = ""
    return bool(made.id)


def _published(path: Path) -> dict[str, str]:
    """Where W&B has a folder's report: its id, entity and project; nothing where it has none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["published"]
        return {key: str(found[key]) for key in ("id", "entity", "project")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write(path: Path, values: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(values, indent=1) + "\n")


def _library() -> Any:
    empty = [n for n, v in os.environ.items() if n.startswith("WANDB_") and not v]
    for name in ("WANDB_RESUME", *empty):
        os.environ.pop(name, None)  # wandb may refuse them, and they say nothing of a report
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_SILENT", "true")
    return importlib.import_module("wandb")


def _workspaces() -> Any:
    """W&B's report blocks; by name, since their types are not exported."""
    _library()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own code, which no reader of a report can mend
        return importlib.import_module("wandb_workspaces.reports.v2")


def _compose(report: Report, *, is_online: bool) -> Any:
    """The report in W&B's blocks.

    Args:
        is_online: runsets name entity and project; offline they must not, or W&B is asked for them.
    """
    wr = _workspaces()
    title = for_wandb(f"{report.title}: comparison with the baseline").replace("/", "-")[:128]
    blocks = [
        wr.H1("Does anything beat the baseline?"),
        wr.P(for_wandb(f"{report.headline}. {report.counts}.")),
        wr.MarkdownBlock(verdict_table(report)),
        wr.P(for_wandb(f"Declared rule: {report.rule_text}. {report.cautioned}")),
        *(wr.P(for_wandb(f"Warning: {text}.")) for text in report.warnings),
        *_further(report),
        wr.H2("Variants"),
        _variants_grid(report, is_online=is_online),
        wr.H2("Runs and settings"),
        _runs_grid(report, is_online=is_online),
    ]
    return wr.Report(
        # an entity that is left out is asked for at the server
        entity=report.mirror.entity or ("offline" if not is_online else ""),
        project=report.mirror.project or "mnist_seq",
        title=title,
        description=for_wandb(report.headline),
        blocks=blocks,
        width="fluid",
    )


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
                   groupby_aggfunc="mean", groupby_rangefunc="stderr", layout=at(0, 8, 24, 7)),
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
            name=for_wandb(f"baseline: {', '.join(dict.fromkeys(v.name for v, _ in found))}"),
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
        wr.ParameterImportancePlot(with_respect_to=report.metric.name, layout=at(0, 8, 12, 8)),
        wr.ScatterPlot(title=f"{report.metric.name} against parameters", y=metric, log_x=True,
                       x=wr.SummaryMetric("num_params"), layout=at(12, 8, 12, 8)),
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


def _reason(error: BaseException) -> str:
    return cut(str(error))[:200] or type(error).__name__
