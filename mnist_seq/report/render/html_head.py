"""The top of the page: the answer, what weakens it, the verdict table. Every text is escaped."""

import math
from collections.abc import Sequence
from html import escape

from mnist_seq.report.columns import Column, shown_columns
from mnist_seq.report.value import Missing, Report, Variant

_MANY = 12  # variants, from which their sentences are folded
_WORDS = ("better", "worse", "equivalent")


def _lack(missing: Missing) -> str:
    seeds = ", ".join(map(str, missing.seeds))
    return (
        f'<div class="notice">Missing: {escape(missing.what)}, seed {seeds}. To add it:'
        f"<pre>{escape(missing.command)}</pre></div>"
    )


def head(report: Report) -> str:
    """Title, answer, and what weakens or lacks in it."""
    notices = [f'<p class="notice">Warning: {escape(text)}.</p>' for text in report.warnings]
    lacks = [_lack(missing) for missing in report.missing]
    if len(lacks) > _MANY:
        summary = f"<summary>Missing: {len(lacks)} baselines, with the commands that add them"
        lacks = [f"<details>{summary}</summary>{''.join(lacks)}</details>"]
    notices += lacks
    return (
        f'<header><p class="soft">mnist_seq comparison</p><h1>{escape(report.title)}</h1>'
        f'<p class="lead">{escape(report.headline)}.</p>'
        f'<p class="soft">{escape(report.counts)}. Written {escape(report.created)} by '
        "mnist_seq.compare.</p>"
        f"{''.join(notices)}</header>"
    )


def verdicts(report: Report) -> str:
    """The verdict table, and each verdict in full."""
    shown = shown_columns(report)
    heads = "".join(
        f'<th scope="col" aria-sort="none" class="{_kind(c)}" title="{escape(c.about)}">'
        f'<button type="button">{escape(c.header)}</button></th>'
        for c in shown
    )
    rows = "".join(_verdict_row(v, shown) for v in report.variants)
    sentences = "".join(
        f"<li><b>{escape(v.name)}</b>{f' ({escape(v.change)})' if v.change else ''} against "
        f"{escape(v.baseline_name)}: {escape(v.verdict)}; "
        f"{escape(v.compared.pairing)}.</li>"
        if v.compared
        else f"<li><b>{escape(v.name)}</b>: {escape(v.verdict)}.</li>"
        for v in report.variants
        if not v.is_baseline
    )
    is_open = " open" if len(report.variants) <= _MANY else ""
    return (
        '<section id="verdicts"><h2>Verdicts</h2>'
        f'<div class="scroll"><table class="verdicts sortable"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        '<p class="caption">Declared rule: '
        f"{escape(report.rule_text)}.</p><details{is_open}><summary>Each verdict in full</summary>"
        f"<ul>{sentences}</ul></details></section>"
    )


def _verdict_row(v: Variant, shown: Sequence[Column]) -> str:
    cells = []
    for place, c in enumerate(shown):
        tag = 'th scope="row"' if place == 0 else "td"
        word = f" {v.word}" if c.name == "verdict" and v.word in _WORDS else ""
        tip = f' title="{escape(v.verdict)}"' if c.name == "verdict" else ""
        cells.append(
            f'<{tag} class="{_kind(c)}{word}" data-column="{c.name}" '
            f'data-order="{_order(c, v)}"{tip}>'
            f"{escape(c.written(v))}</{tag.split()[0]}>"
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
    return escape(str(value))
