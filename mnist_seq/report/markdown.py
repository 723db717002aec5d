"""report.md: the comparison as a text that a repository or an issue shows as it is."""

import re
from collections.abc import Iterable, Sequence

from mnist_seq.report import wording
from mnist_seq.report.cells import columns
from mnist_seq.report.value import Report


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
    parts += [_verdicts(report)]
    if report.missing:
        parts += ["## Missing"]
        parts += [
            f"{_plain(m.what)}, seed {', '.join(map(str, m.seeds))}:\n\n```\n{m.command}\n```"
            for m in report.missing
        ]
    if pictures := [f"![{_plain(c)}]({name})\n\n{_plain(c)}" for name, c in figures]:
        parts += ["## Figures", *pictures]
    parts += [*_reached(report), *_settings(report), *_left_out(report), *_origins(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict_table(report: Report) -> str:
    """The verdict table alone, which W&B's report shows too."""
    shown = columns(report)
    rows = [[column.text(v) for column in shown] for v in report.variants]
    numeric = [column.key not in ("variant", "verdict") for column in shown]
    return _table([column.header for column in shown], rows, numeric)


def _verdicts(report: Report) -> str:
    lines = []
    for v in report.variants:
        if v.difference is not None:
            lines.append(
                f"- **{_plain(v.name)}** against {_plain(v.baseline_name)}: {_plain(v.verdict)}; "
                f"{_plain(v.difference.pairing)}."
            )
        elif not v.is_baseline:
            lines.append(f"- **{_plain(v.name)}**: {_plain(v.verdict)}.")
    return "\n".join(lines)


def _reached(report: Report) -> list[str]:
    thresholds = [reached.threshold for reached in report.variants[0].reached]
    if not thresholds or not any(r.n for v in report.variants for r in v.reached):
        return []
    header = ["variant"]
    for threshold in thresholds:
        header += [f"{wording.percent(threshold)} valid accuracy", "median seconds"]
    rows = [
        [v.name, *(t for r in v.reached for t in (r.text, wording.number(r.median, 1)))]
        for v in report.variants
    ]
    text = (
        "The median counts a seed that never reached it as later than any other; ∞: half or more."
    )
    return ["## Time to accuracy", _table(header, rows, [False, *[True] * (len(header) - 1)]), text]


def _settings(report: Report) -> list[str]:
    if not report.settings[0]:
        return []
    header = ["key", *(v.name for v in report.variants)]
    rows = [[setting.key, *setting.values] for setting in report.settings[0]]
    return ["## What differs", _table(header, rows, [False] * len(header))]


def _left_out(report: Report) -> list[str]:
    lost = [r for r in report.runs if r.state != "finished"]
    lines = [f"- {r.state}: `{_code(r.folder)}` ({_plain(r.reason)})" for r in lost]
    lines += [f"- skipped: `{_code(s.folder)}` ({_plain(s.reason)})" for s in report.skipped]
    lines += [f"- {_plain(note)}" for note in report.notes]
    return ["## Left out, and why", "\n".join(lines)] if lines else []


def _origins(report: Report) -> list[str]:
    rows = [
        [o.name, ", ".join(f"{value} ({n} runs)" for value, n in o.values)] for o in report.origins
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
