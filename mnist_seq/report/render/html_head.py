"""The top of the page: the answer, what weakens it, the verdict table. Every text is escaped."""

import math
from collections.abc import Sequence

from mnist_seq.report.column import Column
from mnist_seq.report.columns import shown_columns
from mnist_seq.report.markup.escape import for_folder, for_html
from mnist_seq.report.value import Missing, Report, Variant

_MANY = 12  # variants, from which their sentences are folded
_WORDS = ("better", "worse", "equivalent")


def _lack(missing: Missing) -> str:
    seeds = ", ".join(map(str, missing.seeds))
    return (
        f'<div class="notice">Missing: {for_html(missing.what)}, seed {seeds}. To add it:'
        f"<pre>{for_html(missing.command)}</pre></div>"
    )


def head(report: Report) -> str:
    """Title, answer, and what weakens or lacks in it."""
    notices = [f'<p class="notice">Warning: {for_html(text)}.</p>' for text in report.warnings]
    lacks = [_lack(missing) for missing in report.missing]
    if len(lacks) > _MANY:
        summary = f"<summary>Missing: {len(lacks)} baselines, with the commands that add them"
        lacks = [f"<details>{summary}</summary>{''.join(lacks)}</details>"]
    notices += lacks
    return (
        f'<header><p class="soft">mnist_seq comparison</p><h1>{for_html(report.title)}</h1>'
        f'<p class="lead">{for_html(report.headline)}.</p>'
        f'<p class="soft">{for_html(report.counts)}. Written {for_html(report.created)} by '
        "mnist_seq.compare.</p>"
        f"{''.join(notices)}</header>"
    )


def rule(report: Report) -> str:
    """The declared rule alone, of several tasks."""
    return f'<p class="caption">Declared rule: {for_html(report.rule_text)}.</p>'


def of_task(task: str, report: Report) -> str:
    """One task of several: its answer, its verdicts, and the way to its own page."""
    page = f"tasks/{for_folder(task)}/report.html"
    return (
        f'<h2>{for_html(task)}</h2><p class="lead">{for_html(report.headline)}.</p>'
        f'<p class="soft">{for_html(report.counts)}. '
        f'<a href="{for_html(page)}">All figures and tables of {for_html(task)}</a></p>'
        f"{verdicts(report, f'verdicts-{for_folder(task)}', f'Verdicts on {task}')}"
    )


def verdicts(report: Report, name: str = "verdicts", title: str = "Verdicts") -> str:
    """The verdict table, and each verdict in full."""
    shown = shown_columns(report)
    heads = "".join(
        f'<th scope="col" aria-sort="none" class="{_kind(c)}" title="{for_html(c.about)}">'
        f'<button type="button">{for_html(c.header)}</button></th>'
        for c in shown
    )
    rows = "".join(_verdict_row(v, shown) for v in report.variants)
    sentences = "".join(
        f"<li><b>{for_html(v.name)}</b>{f' ({for_html(v.change)})' if v.change else ''} against "
        f"{for_html(v.baseline_name)}: {for_html(v.verdict)}; "
        f"{for_html(v.compared.pairing)}.</li>"
        if v.compared
        else f"<li><b>{for_html(v.name)}</b>: {for_html(v.verdict)}.</li>"
        for v in report.variants
        if not v.is_baseline
    )
    cautions = "".join(
        f'<p class="caption">{for_html(text)}</p>' for text in report.caution_sentences
    )
    is_open = " open" if len(report.variants) <= _MANY else ""
    return (
        f'<section id="{for_html(name)}"><h2>{for_html(title)}</h2>'
        f'<div class="scroll"><table class="verdicts sortable"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        '<p class="caption">Declared rule: '
        f"{for_html(report.rule_text)}.</p>{cautions}<details{is_open}>"
        f"<summary>Each verdict in full</summary><ul>{sentences}</ul></details></section>"
    )


def _verdict_row(v: Variant, shown: Sequence[Column]) -> str:
    cells = []
    for place, c in enumerate(shown):
        tag = 'th scope="row"' if place == 0 else "td"
        word = f" {v.word}" if c.name == "verdict" and v.word in _WORDS else ""
        tip = f' title="{for_html(v.verdict)}"' if c.name == "verdict" else ""
        cells.append(
            f'<{tag} class="{_kind(c)}{word}" data-column="{c.name}" '
            f'data-order="{_order(c, v)}"{tip}>'
            f"{for_html(c.written(v))}</{tag.split()[0]}>"
        )
    kind = ' class="baseline"' if v.is_baseline else ""
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _kind(column: Column) -> str:
    return "text" if column.is_text or column.name == "n" else "number"


def _order(column: Column, variant: Variant) -> str:
    value = column.order(variant)
    if value is None:
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return "" if math.isnan(value) else str(math.copysign(1e308, value))
    return for_html(str(value))
