"""report.md: the comparison as a text that a repository or an issue shows as it is."""

import re
from collections.abc import Iterable, Sequence

from mnist_seq.report import wording
from mnist_seq.report.render import tables
from mnist_seq.report.render.cells import chosen, columns
from mnist_seq.report.render.tables import Table
from mnist_seq.report.value import Report, Variant


def render(report: Report, *, figures: Iterable[tuple[str, str]] = ()) -> str:
    """The whole report.

    Args:
        figures: (file name, caption) of pictures that lie beside it.
    """
    parts = [
        f"# {_plain(report.title)}",
        f"**{_plain(report.headline)}**",
        _plain(report.counts) + ".",
    ]
    parts += [f"> {_plain(warning)}." for warning in report.warnings]
    parts += ["## Verdicts", verdict_table(report), f"Rule: {_plain(report.rule_text)}."]
    parts += [_legend(report), _verdicts(report)]
    if report.missing:
        parts += ["## Missing"]
        parts += [
            f"{_plain(m.what)}, seed {', '.join(map(str, m.seeds))}:\n\n```\n{m.command}\n```"
            for m in report.missing
        ]
    parts += [part for table in tables.further(report) for part in _small(table)]
    if pictures := [f"![{_plain(c)}]({name})\n\n{_plain(c)}" for name, c in figures]:
        parts += ["## Figures", *pictures]
    if (reached := tables.reached(report)) is not None:
        parts += _small(reached)
    parts += [*_settings(report), *_left_out(report), *_origins(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _legend(report: Report) -> str:
    """What the columns mean whose names do not tell."""
    if not any(v.difference for v in report.variants):
        return ""
    found = chosen(report, ("effect_size", "p_better", "detectable"))
    return f"{_plain('; '.join(f'{c.header}: {c.about}' for c in found))}."


def verdict_table(report: Report) -> str:
    """The verdict table alone, which W&B's report shows too."""
    shown = columns(report)
    rows = [[column.text(v) for column in shown] for v in report.variants]
    numeric = [not column.is_text for column in shown]
    return _table([column.header for column in shown], rows, numeric)


def _verdicts(report: Report) -> str:
    lines = []
    for v in report.variants:
        if v.difference is not None:
            lines.append(
                f"- **{_plain(v.name)}**{_changed(v)} against {_plain(v.baseline_name)}: "
                f"{_plain(v.verdict)}; {_plain(v.difference.pairing)}."
            )
        elif not v.is_baseline:
            lines.append(f"- **{_plain(v.name)}**: {_plain(v.verdict)}.")
    return "\n".join(lines)


def _changed(v: Variant) -> str:
    return f" ({_plain(v.change)})" if v.change else ""


def small_table(table: Table) -> str:
    """One of the smaller tables alone, which W&B's report shows too."""
    numeric = [_is_numeric(column) for column in zip(*table.rows, strict=True)]
    return _table(table.header, table.rows, numeric)


def _small(table: Table) -> list[str]:
    return [f"## {_plain(table.title)}", small_table(table), _plain(table.caption)]


def _is_numeric(texts: Sequence[str]) -> bool:
    return not any(re.search("[a-z]{3}", text) for text in texts)  # "1.2 to 3.4" is a number


def _settings(report: Report) -> list[str]:
    if not report.settings[0]:
        return []
    header = ["key", *(v.name for v in report.variants)]
    rows = [[setting.key, *setting.values] for setting in report.settings[0]]
    return ["## What differs", _table(header, rows, [False] * len(header))]


def _left_out(report: Report) -> list[str]:
    lost = [r for r in report.runs if r.state != "finished" or not r.is_learning]
    lines = [f"- {r.outcome}: `{_code(r.folder)}` ({_plain(r.reason)})" for r in lost]
    lines += [f"- skipped: `{_code(s.folder)}` ({_plain(s.reason)})" for s in report.skipped]
    lines += [f"- {_plain(note)}" for note in report.notes]
    return ["## Runs and folders to know of", "\n".join(lines)] if lines else []


def _origins(report: Report) -> list[str]:
    rows = [
        [o.name, ", ".join(f"{value} ({wording.plural(n, 'run')})" for value, n in o.values)]
        for o in report.origins
    ]
    sources = ", ".join(f"`{_code(source)}`" for source in report.sources)
    return ["## Where the numbers come from", f"{sources}; written {report.created}.",
            _table(["", ""], rows, [False, False])]  # fmt: skip


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool]) -> str:
    lines = [
        _line(header),
        _line(["---:" if is_number else "---" for is_number in numeric], raw=True),
    ]
    return "\n".join([*lines, *(_line(row) for row in rows)])


def _line(texts: Sequence[str], *, raw: bool = False) -> str:
    return "| " + " | ".join(text if raw else _plain(text) for text in texts) + " |"


def _plain(text: str) -> str:
    """A text that Markdown and the HTML in it show as it is."""
    one_line = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]<>|#&])", r"\\\1", one_line)


def _code(text: str) -> str:
    return " ".join(text.replace("`", "'").split())
