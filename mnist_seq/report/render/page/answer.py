"""The answer: one table that is the forest plot, the numbers and the verdicts."""

import math
import re
from collections.abc import Sequence

from mnist_seq.report.charts.page import forest
from mnist_seq.report.charts.page.axis import Axis
from mnist_seq.report.charts.page.multiples import parted
from mnist_seq.report.column import Column
from mnist_seq.report.columns import shown_columns
from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.markup.html_table import html_table
from mnist_seq.report.paper.document import Asked
from mnist_seq.report.paper.document import table as as_latex
from mnist_seq.report.render import markdown, table_csv
from mnist_seq.report.render.page import parts
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.texts.notices import next_step, seeds_needed
from mnist_seq.report.value import Report, Variant

_ADJUSTED = {"holm": "Holm", "bh": "BH", "none": ""}
_COLUMNS = 6


def answer(
    report: Report,
    asked: Asked,
    name: str = "answer",
    title: str = "The answer",
    said: str = "",
    more: str = "",
) -> str:
    """The section.

    Args:
        asked: of the LaTeX that a button copies.
        name: of its place on the page; title: its heading.
        said: what stands above the table, in the place of what it shows; more: HTML at its end.
    """
    d, axis = words.decimals_of(report), forest.axis_of(report)
    families = words.families(report)
    if not any(family.members for family in families):
        lead = f"Mean {report.metric.label} over seeds; there is nothing to compare it with."
        body = _alone(report) + _copies(report, asked, name)
        body += parts.folded("All columns", _every_column(report)) + _next(report, name) + more
        return parts.section(name, title, said or lead, body)
    bodies, rest = [], []
    for family in families:
        first, later = parted(report, family)
        bodies.append(_body(report, family, first, axis, d))
        if later:
            rows = _body(report, family, later, axis, d, is_rest=True)
            table = _table(report, rows, axis, is_rest=True)
            of = f" with {family.title}" if family.title else ""
            rest.append(parts.folded(f"The other {len(later)} variants{of}", table))
    lead = (
        f"Difference in {report.metric.label} to the baseline"
        f"{f', in {report.metric.points}' if report.metric.points else ''}; "
        "the same seeds on both sides."
    )
    compared = [v for v in report.variants if v.compared]
    if not all(v.compared and v.compared.comparison.is_paired for v in compared):
        lead = lead.replace("; the same seeds on both sides", "")
    if not compared and not any(v.pairs for v in report.variants):
        lead = f"Mean {report.metric.label} of each variant; nothing is compared."
    table = _table(report, "".join(bodies), axis)
    body = f"{table}{_key(report)}{_copies(report, asked, name)}{''.join(rest)}"
    of = f" of {title}" if name != "answer" else ""
    body += parts.folded("All columns", _every_column(report, of)) + _sentences(report)
    body += _next(report, name) + more
    return parts.section(name, title, said or lead, body)


def _alone(report: Report) -> str:
    """The table of baselines with which nothing is compared."""
    d, metric = words.decimals_of(report), report.metric
    header = ("variant", "parameters", "seeds", metric.title, "standard deviation",
              f"{fmt.percent(report.level)} interval")  # fmt: skip
    rows = [
        (v.label, fmt.count(v.num_params), _seeds(v) or str(v.n), fmt.number(v.mean, d),
         fmt.number(v.sd, d), fmt.interval(v.low, v.high, d))
        for v in report.variants
    ]  # fmt: skip
    return html_table(header, rows, caption="Mean over seeds, with its interval")


def _table(report: Report, bodies: str, axis: Axis | None, *, is_rest: bool = False) -> str:
    unit = f",&nbsp;{for_html(report.metric.unit)}" if report.metric.unit else ""
    adjusted = _ADJUSTED[report.rule.correction]
    label = for_html(report.metric.label.capitalize()).replace(" ", "<br>", 1)
    drawn = forest.head(report, axis) if axis else ""
    head = (
        '<thead role="rowgroup"><tr role="row">'
        '<th role="columnheader" scope="col">Variant</th>'
        f'<th role="columnheader" scope="col" class="c"><span class="vh">Difference, drawn</span>'
        f"{drawn}</th>"
        '<th role="columnheader" scope="col" class="r">Difference<br><span class="nw">'
        f"[{for_html(fmt.percent(report.level))} interval]{parts.note(1)}</span></th>"
        f'<th role="columnheader" scope="col" class="r acc">{label}{unit}</th>'
        f'<th role="columnheader" scope="col" class="r pv">p{parts.note(3)}<br>{adjusted}</th>'
        f'<th role="columnheader" scope="col">Verdict{parts.note(4)}</th></tr></thead>'
    )
    caption = "Difference of each variant to its baseline, with interval, p and verdict"
    caption += ": the other variants" if is_rest else ""
    return (
        f'<table class="answer{"" if axis else " plain"}" role="table">'
        f'<caption class="vh">{caption}</caption>{head}{bodies}</table>'
    )


def _body(
    report: Report,
    family: words.Family,
    members: Sequence[Variant],
    axis: Axis | None,
    d: int,
    *,
    is_rest: bool = False,
) -> str:
    title = family.title or ("" if is_rest else _title(report))
    rows = "".join(_row(report, family, v, axis, d) for v in members)
    return (
        f'<tbody role="rowgroup"><tr class="g{"" if title else " bare"}" role="row">'
        f'<th role="rowheader" colspan="{_COLUMNS}" scope="rowgroup">{for_html(title)}'
        f"<span>{for_html(_baseline(report, family, d))}</span></th></tr>{rows}</tbody>"
    )


def _title(report: Report) -> str:
    return "By the size of the difference" if any(v.change for v in report.variants) else ""


def _baseline(report: Report, family: words.Family, d: int) -> str:
    v = family.baseline
    if v is None:
        return "no baseline"
    unit = report.metric.unit
    mean = fmt.with_unit(fmt.number(v.mean, d), unit)
    ends = fmt.interval(v.low, v.high, d)
    level = f"{mean} {ends}" if ends != fmt.NONE else mean
    facts = [f"baseline {family.labels[v.key]} {level}"]
    if not math.isnan(v.num_params):
        facts.append(f"{fmt.count(v.num_params)} parameters")
    return ", ".join([*facts, _seeds(v) or words.seeds([v])])


def _seeds(v: Variant) -> str:
    """How many seeds count, where not all that were planned do; what became of the others."""
    lost = [
        f"{number} {state}"
        for state in ("diverged", "failed", "interrupted", "unreadable")
        if (number := getattr(v, state))
    ]
    found = [f"{v.n} of {v.planned} seeds, {', '.join(lost)}"] if lost else []
    if v.not_learning:
        found.append(f"{v.not_learning} not shown to learn")
    return ", ".join(found)


def _row(report: Report, family: words.Family, v: Variant, axis: Axis | None, d: int) -> str:
    c = v.compared.comparison if v.compared else None
    difference = c.difference if c else v.apart
    ends = fmt.interval(c.interval.low, c.interval.high, d, is_signed=True) if c else ""
    p = v.compared.verdict.p_adjusted if v.compared else math.nan
    alpha = report.rule.alpha
    drawn = forest.row(report, v, axis, d) if axis else ""
    word, needed = words.verdict(v), seeds_needed(v)
    more = f"{fmt.ABOUT}{fmt.THIN}{needed:,} seeds needed" if word == "undecided" and needed else ""
    unit = f'<span class="m">{fmt.THIN}{for_html(report.metric.unit)}</span>' if v.n else ""
    small_p = "" if math.isnan(p) else f'<span class="m"> {fmt.p_equation(p, alpha)}</span>'
    if ends == "" and v.pairs:
        ends = "no interval"
    return (
        f'<tr class="v" role="row"><th role="rowheader" scope="row" class="name">'
        f"{for_html(family.labels[v.key])}{_sub_names(report, v)}</th>"
        f'<td role="cell" class="c">{drawn}</td>'
        f'<td role="cell" class="r dif"><b>{fmt.signed(difference, d)}</b>'
        f'<span class="sub nw">{ends}{small_p}</span></td>'
        f'<td role="cell" class="r acc">{fmt.number(v.mean, d)}{unit}</td>'
        f'<td role="cell" class="r pv nw">{fmt.p_value(p, alpha)}</td>'
        f'<td role="cell" class="ver {words.kind(v)}"><span class="verdict">{for_html(word)}</span>'
        f'<span class="sub nw">{more}</span></td></tr>'
    )


def _sub_names(report: Report, v: Variant) -> str:
    """Below the name: what the arm is, the values that were chosen, what became of its runs."""
    about = words.arm_title(report, v)
    if not about and not math.isnan(v.num_params):
        about = f"{fmt.count(v.num_params)}\N{NO-BREAK SPACE}parameters"
    chosen = f"{v.choice.text}, chosen on validation" if v.choice else ""
    lost = _seeds(v)
    found = "".join(
        f'<span class="sub">{_breaking(for_html(text))}</span>' for text in (about, chosen) if text
    )
    return found + (f'<span class="sub"><b>{for_html(lost)}</b></span>' if lost else "")


def _breaking(html: str) -> str:
    """A setting that breaks before its value or between words, and not within one."""
    return re.sub(r"(=|(?<=\w)_)(?=\w)", r"\1<wbr>", html)


def _key(report: Report) -> str:
    kinds = list(dict.fromkeys(words.kind(v) for v in report.variants if v.compared))
    names = {f.base_name for f in words.families(report) if f.baseline}
    base = names.pop() if len(names) == 1 else "baseline"
    entries = forest.key(
        kinds,
        has_wide=any(v.compared and v.compared.wide for v in report.variants),
        has_seeds=any(v.pairs for v in report.variants),
        has_diverged=any(v.diverged for v in report.variants if not v.is_baseline),
        base=f"its {base}",
    )
    items = "".join(f"<span>{picture}{for_html(text)}</span>" for picture, text in entries)
    if report.rule.margin is not None and entries:
        size = words.points(report, fmt.plain(report.rule.margin))
        items += f"<span>shaded: the margin of {for_html(size)}</span>"
    return f'<div class="key">{items}</div>' if items else ""


def _copies(report: Report, asked: Asked, name: str) -> str:
    buttons = parts.copy_button(f"{name}-csv", "Copy CSV, all columns", "CSV")
    buttons += parts.copy_button(f"{name}-md", "Copy Markdown", "Markdown table")
    buttons += parts.copy_button(f"{name}-tex", "Copy LaTeX", "LaTeX table")
    texts = parts.hidden_text(table_csv.render(report), f"{name}-csv")
    texts += parts.hidden_text(markdown.verdict_table(report), f"{name}-md")
    texts += parts.hidden_text(f"% needs booktabs\n{as_latex(report, asked)}", f"{name}-tex")
    return f'<div class="tools">{buttons}</div>{texts}'


def _next(report: Report, name: str) -> str:
    step = next_step(report)
    if step is None:
        return ""
    command = parts.command(step.command, f"{name}-next") if step.command else ""
    return (
        '<div class="next"><h3>What would settle more</h3>'
        f'<p class="cap">{for_html(step.text)}{parts.note(4)}</p>{command}</div>'
    )


def _sentences(report: Report) -> str:
    """Each verdict in full."""
    items = "".join(
        f"<li><b>{for_html(v.label)}</b>{f' ({for_html(v.change)})' if v.change else ''} against "
        f"{for_html(v.baseline_label)}: {for_html(v.verdict)}; {for_html(v.compared.pairing)}.</li>"
        if v.compared
        else f"<li><b>{for_html(v.label)}</b>: {for_html(v.verdict)}.</li>"
        for v in report.variants
        if not v.is_baseline
    )
    return parts.folded("Each verdict in full", f"<ul>{items}</ul>") if items else ""


def _every_column(report: Report, of: str = "") -> str:
    """The table with all columns, which a reader can sort."""
    shown = shown_columns(report)
    heads = "".join(
        f'<th scope="col" aria-sort="none" class="{_kind(c)}"><button type="button" '
        f'title="{for_html(c.about)}">{for_html(c.header)}</button></th>'
        for c in shown
    )
    rows = "".join(_line(v, shown) for v in report.variants)
    about = "; ".join(f"{c.header}: {c.about}" for c in shown if c.about)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="All columns{for_html(of)}">'
        f'<table class="all sortable"><caption class="vh">All columns{for_html(of)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p class="cap">{for_html(about)}.</p>'
    )


def _line(v: Variant, shown: Sequence[Column]) -> str:
    cells = []
    for place, c in enumerate(shown):
        tag = 'th scope="row"' if place == 0 else "td"
        cells.append(
            f'<{tag} class="{_kind(c)}" data-column="{c.name}" data-order="{_order(c, v)}">'
            f"{for_html(c.written(v))}</{tag.split()[0]}>"
        )
    kind = ' class="baseline"' if v.is_baseline else ""
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _kind(column: Column) -> str:
    return "text" if column.is_text or column.name == "n" else "r"


def _order(column: Column, variant: Variant) -> str:
    value = column.order(variant)
    if value is None:
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return "" if math.isnan(value) else str(math.copysign(1e308, value))
    return for_html(str(value))
