"""report.md: the comparison as a text that a repository or an issue shows as it is."""

import re
from collections.abc import Iterable, Sequence

from mnist_seq.report.columns import chosen, shown_columns
from mnist_seq.report.markup.markdown_table import markdown_table, plain
from mnist_seq.report.sections import APPENDIX, Table, sections_of
from mnist_seq.report.value import Report, Variant


def render(report: Report, *, figures: Iterable[tuple[str, str]] = ()) -> str:
    """The whole report.

    Args:
        figures: (file name, caption) of pictures that lie beside it.
    """
    parts = [
        f"# {plain(report.title)}",
        f"**{plain(report.headline)}**",
        plain(report.counts) + ".",
    ]
    parts += [f"> {plain(warning)}." for warning in report.warnings]
    parts += ["## Verdicts", verdict_table(report), f"Rule: {plain(report.rule_text)}."]
    parts += [_legend(report), _verdicts(report)]
    if report.missing:
        parts += ["## Missing"]
        parts += [
            f"{plain(m.what)}, seed {', '.join(map(str, m.seeds))}:\n\n```\n{m.command}\n```"
            for m in report.missing
        ]
    parts += _sections(report, is_appendix=False)
    if pictures := [f"![{plain(c)}]({name})\n\n{plain(c)}" for name, c in figures]:
        parts += ["## Figures", *pictures]
    parts += _sections(report, is_appendix=True)
    return "\n\n".join(part for part in parts if part) + "\n"


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
    found = chosen(report, ("effect_size", "p_better", "detectable"))
    return f"{plain('; '.join(f'{c.header}: {c.about}' for c in found))}."


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
                f"- **{plain(v.name)}**{_changed(v)} against {plain(v.baseline_name)}: "
                f"{plain(v.verdict)}; {plain(v.compared.pairing)}."
            )
        elif not v.is_baseline:
            lines.append(f"- **{plain(v.name)}**: {plain(v.verdict)}.")
    return "\n".join(lines)


def _changed(v: Variant) -> str:
    return f" ({plain(v.change)})" if v.change else ""


def small_table(table: Table) -> str:
    """One of the smaller tables alone, which W&B's report shows too."""
    numeric = [_is_numeric(column) for column in zip(*table.rows, strict=True)]
    return markdown_table(table.header, table.rows, numeric)


def _small(table: Table) -> list[str]:
    return [f"## {plain(table.title)}", small_table(table), plain(table.caption)]


def _is_numeric(texts: Sequence[str]) -> bool:
    return not any(re.search("[a-z]{3}", text) for text in texts)  # "1.2 to 3.4" is a number
