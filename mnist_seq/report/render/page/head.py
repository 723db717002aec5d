"""The top of the page: the answer in sentences, the facts, and what weakens it."""

from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.render.page import parts
from mnist_seq.report.sections.facts import Facts
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.texts.headline import headline
from mnist_seq.report.texts.notices import Notice, notices
from mnist_seq.report.value import Report

_MOST_LEVELS = 4  # baselines whose levels are named one by one
_MANY = 4  # notices that are read at once; the others are folded


def header(report: Report) -> str:
    """Where it is from, the headline, the level of the baseline, the facts, the notices."""
    sentences = " ".join(f"<span>{for_html(text)}</span>" for text in headline(report))
    below = "".join(f" {for_html(text)}" for text in dek(report)).strip()
    said = f'<p class="dek">{below}</p>' if below else ""
    return (
        f'<header><p class="kicker">{_kicker(report)}</p><h1>{sentences}</h1>{said}'
        f"{_facts(report)}{_notices(report)}</header>"
    )


def _kicker(report: Report) -> str:
    known = Facts.of(report)
    study = f"study {report.asked.study}" if report.asked.study else ""
    data = next((fact.value for fact in known.facts if fact.name == "Data"), "") if known else ""
    rest = [study, data, known.day if known else ""]
    return " · ".join(
        [f"<b>{for_html(report.title)}</b>", *(for_html(text) for text in rest if text)]
    )


def dek(report: Report) -> list[str]:
    """The baseline's level, and what keeps the headline from being misread."""
    d, metric = words.decimals_of(report), report.metric
    families = [f for f in words.families(report) if f.baseline and f.members]
    levels = [
        f"{fmt.with_unit(fmt.number(f.baseline.mean, d), metric.unit)}"
        f"{f' with {f.within}' if f.title else ''}"
        for f in families[:_MOST_LEVELS]
        if f.baseline and f.baseline.n
    ]
    found = []
    if levels and families[0].baseline:
        name = families[0].labels[families[0].baseline.key]
        name = name if "=" in name else f"the {name}"
        means = [f.baseline.mean for f in families if f.baseline and f.baseline.n]
        ends = [fmt.number(end, d) for end in (min(means), max(means))]
        span = f"{ends[0]} to {fmt.with_unit(ends[1], metric.unit)}"
        noun = "baseline" if len(families) == 1 else "baselines"
        if families[_MOST_LEVELS:]:
            noun, levels = f"{len(families)} baselines", [span]
        found.append(f"Mean {metric.label} of the {noun} ({name}): {fmt.joined(levels)}.")
    names = words.in_sentences(report.variants, report.factor_keys)
    near = [
        names[v.key]
        for v in report.variants
        if v.compared and words.verdict(v) == "undecided" and v.compared.kind != "anytime"
        if v.compared.comparison.interval.excludes(0.0)
    ]
    if near:
        one = len(near) == 1
        shown = fmt.joined(near) if len(near) <= 3 else f"{len(near)} variants"
        found.append(
            f"Taken alone, the {fmt.percent(report.level)} interval{'' if one else 's'} of {shown} "
            f"leave{'s' if one else ''} out 0; "
            f"corrected for {report.num_comparisons} comparisons, p is not below "
            f"{report.rule.alpha:g}."
        )
    return found


def _facts(report: Report) -> str:
    known = Facts.of(report)
    if known is None:
        return ""
    items = "".join(
        f"<div><dt>{for_html(fact.name)}</dt><dd>{for_html(fact.value)}"
        f"<span>{for_html(fact.more)}</span></dd></div>"
        for fact in known.facts
    )
    return f'<dl class="facts">{items}</dl>'


def _notices(report: Report) -> str:
    found = [_notice(notice, place) for place, notice in enumerate(notices(report))]
    if not found:
        return ""
    more = ""
    if len(found) > _MANY:
        rest = "".join(found[_MANY:])
        more = parts.folded(
            f"{len(found) - _MANY} more notices", f'<div class="notices">{rest}</div>'
        )
    return f'<div class="notices">{"".join(found[:_MANY])}{more}</div>'


def _notice(notice: Notice, place: int) -> str:
    text = f" {for_html(notice.text)}" if notice.text else ""
    help_ = ""
    if notice.command:
        help_ = parts.folded(notice.about, parts.command(notice.command, f"c-notice-{place}"))
    return (
        f'<div class="notice {notice.kind}" role="note">'
        f"<p><b>{for_html(notice.title)}</b>{text}</p>{help_}</div>"
    )
