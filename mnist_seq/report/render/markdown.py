"""report.md: the comparison as a text that a repository or an issue shows as it is."""

import re
from collections.abc import Iterable, Sequence

from mnist_seq.report.columns import chosen, shown_columns
from mnist_seq.report.markup.escape import for_folder, for_markdown, for_markdown_block
from mnist_seq.report.markup.markdown_table import markdown_table
from mnist_seq.report.sections import APPENDIX, Table, sections_of
from mnist_seq.report.texts import words
from mnist_seq.report.texts.headline import headline
from mnist_seq.report.value import Report, Variant


def render(report: Report, *, figures: Iterable[tuple[str, str]] = ()) -> str:
    """The whole report.

    Args:
        figures: (file name, caption) of pictures that lie beside it.
    """
    parts = [
        f"# {for_markdown(report.title)}",
        f"**{for_markdown(' '.join(headline(report)))}**",
        *map(for_markdown, report.besides),
        for_markdown(report.counts) + ".",
    ]
    parts += [f"> {for_markdown(warning)}." for warning in report.warnings]
    parts += ["## Verdicts", verdict_table(report)] if report.variants else []
    parts += [f"Rule: {for_markdown(report.rule_text)}."]
    parts += [for_markdown(report.cautioned)]
    parts += [_legend(report), _verdicts(report)]
    if report.missing:
        parts += ["## Missing"]
        parts += [
            f"{for_markdown(m.what)}, seed {', '.join(map(str, m.seeds))}:\n\n"
            f"{for_markdown_block(m.command)}"
            for m in report.missing
        ]
    parts += _sections(report, is_appendix=False)
    for task, own in report.tasks.items():
        parts += _task(task, own)
    if pictures := [f"![{for_markdown(c)}]({name})\n\n{for_markdown(c)}" for name, c in figures]:
        parts += ["## Figures", *pictures]
    parts += _sections(report, is_appendix=True)
    return "\n\n".join(part for part in parts if part) + "\n"


def _task(task: str, report: Report) -> list[str]:
    """The verdicts of one task of several, and where its whole report is."""
    return [
        f"## {for_markdown(words.data(task))}",
        f"**{for_markdown(' '.join(headline(report)))}**",
        *map(for_markdown, report.besides),
        verdict_table(report),
        _verdicts(report),
        f"All of it: [tasks/{for_folder(task)}/report.md](tasks/{for_folder(task)}/report.md)",
    ]


def _sections(report: Report, *, is_appendix: bool) -> list[str]:
    found: list[str] = []
    for section, part in sections_of(report):
        if (section.order >= APPENDIX) == is_appendix:
            for table in section.tables(report, part):
                found += _small(table) if "markdown" in table.formats else []
            found.append(section.more_markdown(report, part))
    return found


def _legend(report: Report) -> str:
    """What the columns mean whose names do not tell."""
    if not any(v.compared for v in report.variants):
        return ""
    names = ("effect_size", "p_better", "probability_better", "detectable_corrected")
    found = chosen(report, names)
    return f"{for_markdown('; '.join(f'{c.header}: {c.about}' for c in found))}."


def verdict_table(report: Report) -> str:
    """The verdict table alone, which W&B's report shows too."""
    shown = shown_columns(report)
    rows = [[column.written(v) for column in shown] for v in report.variants]
    numeric = [not column.is_text for column in shown]
    return markdown_table([column.header for column in shown], rows, numeric)


def _verdicts(report: Report) -> str:
    lines = []
    for v in report.variants:
        if v.compared is not None:
            lines.append(
                f"- **{for_markdown(v.label)}**{_changed(v)} against "
                f"{for_markdown(v.baseline_label)}: {for_markdown(v.verdict)}; "
                f"{for_markdown(v.compared.pairing)}."
            )
        elif not v.is_baseline:
            lines.append(f"- **{for_markdown(v.label)}**: {for_markdown(v.verdict)}.")
    return "\n".join(lines)


def _changed(v: Variant) -> str:
    return f" ({for_markdown(v.change)})" if v.change else ""


def small_table(table: Table) -> str:
    """One of the smaller tables alone, which W&B's report shows too."""
    numeric = [_is_numeric(column) for column in zip(*table.rows, strict=True)]
    return markdown_table(table.header, table.rows, numeric)


def _small(table: Table) -> list[str]:
    return [f"## {for_markdown(table.title)}", small_table(table), for_markdown(table.caption)]


def _is_numeric(texts: Sequence[str]) -> bool:
    return not any(re.search("[a-z]{3}", text) for text in texts)  # "1.2 to 3.4" is a number
