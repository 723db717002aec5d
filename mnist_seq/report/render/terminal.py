"""A report at the terminal: the verdict table, and what a reader must know besides."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mnist_seq.report import wording
from mnist_seq.report.charts import style
from mnist_seq.report.column import Column
from mnist_seq.report.columns import chosen, shown_columns
from mnist_seq.report.markup.escape import for_terminal
from mnist_seq.report.sections import tables_of
from mnist_seq.report.value import Report, Variant
from mnist_seq.runs.console import cell, say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# From everything to what a verdict rests on; the first that fits is shown, else a list
_LAYOUTS = (
    ("variant", "n", "mean", "interval", "sd", "difference", "difference_interval", "p_adjusted",
     "effect_size", "p_better", "probability_better", "detectable_corrected", "verdict",
     "num_params", "state_size", "multiply_adds", "seconds", "step_seconds"),
    ("variant", "n", "mean", "interval", "difference", "difference_interval", "p_adjusted",
     "verdict", "num_params", "seconds", "step_seconds"),
    ("variant", "n", "mean", "difference", "difference_interval", "p_adjusted", "verdict"),
)  # fmt: skip
_LISTED = ("changes", "chosen", "n", "mean", "difference", "difference_interval", "p_adjusted")
_MAX_NAMED = 20  # folders that are named one by one
_MAX_COMMANDS = 5  # that add what is missing


def print_report(report: Report, console: "Console") -> None:
    """Print all that the terminal shows of a report."""
    print_table(report, console)
    say(console, "")
    _say(console, f"rule: {report.rule_text}")
    for text in dict.fromkeys(own.rule_text for own in report.tasks.values()):
        tasks = [task for task, own in report.tasks.items() if own.rule_text == text]
        _say(console, f"rule on {', '.join(tasks)}: {text}")
    for text in report.cautions:
        _say(console, f"note: {text}")
    for v in report.variants:
        if v.compared is not None:
            _say(
                console,
                f"{v.name}{f' ({v.change})' if v.change else ''} against {v.baseline_name}: "
                f"{v.verdict}; {v.compared.pairing}",
            )
        elif v.verdict and not v.is_baseline:
            _say(console, f"{v.name}: {v.verdict}")
    for table in tables_of(report, "terminal"):
        say(console, "")
        _say(console, table.title)
        for row in table.rows:
            pairs = zip(table.header[1:], row[1:], strict=True)
            cells = [f"{header} {text}" for header, text in pairs if text != wording.NONE]
            _say(console, f"  {row[0]}: {'; '.join(cells)}")
        _say(console, f"  {table.caption}")
    for note in report.notes:
        _say(console, f"note: {note}")


def print_table(report: Report, console: "Console") -> None:
    """Print the answer, the verdict table, and what is missing: what ends every sweep."""
    _say(console, f"{report.headline}")
    _say(console, report.counts)
    if report.variants:
        _print_variants(report, console)
    for task, own in report.tasks.items():
        say(console, "")
        console.print(_cell(task, "bold"))
        print_table(own, console)
    if text := wording.looks_text(report.rule, report.variants):
        _say(console, text)
    for warning in report.warnings:
        _say(console, f"warning: {warning}")
    lost = [r for r in report.runs if r.state not in ("finished", "diverged") or not r.is_learning]
    lines = [for_terminal(f"{run.outcome}: {run.folder} ({run.reason})") for run in lost]
    _say_first(console, _MAX_NAMED, lines, "and {} more, all named in the report")
    lines = [for_terminal(f"skipped: {s.folder} ({s.reason})") for s in report.skipped]
    _say_first(console, _MAX_NAMED, lines, "skipped: {} more, all named in the report")
    lines = [
        for_terminal(f"missing: {m.what}, seed {', '.join(map(str, m.seeds))}; to add it:")
        + f"\n  {for_terminal(m.command)}"
        for m in report.missing
    ]
    _say_first(console, _MAX_COMMANDS, lines, "missing: {} more, all in the report")


def _print_variants(report: Report, console: "Console") -> None:
    """Print the verdict table, as wide as the terminal allows."""
    layouts = [with_extra for keys in _LAYOUTS for with_extra in (_with_extra(keys), keys)]
    for keys in layouts:
        shown = _chosen(report, keys)
        if _width(report, shown) <= console.width:
            console.print(_table(report, shown))
            _print_lost(report, console)
            break
    else:
        _print_list(report, console)


def _say(console: "Console", text: str) -> None:
    say(console, for_terminal(text))


def _cell(text: str, style: str = "") -> "Text":
    return cell(for_terminal(text), style)


def _say_first(console: "Console", most: int, lines: Sequence[str], rest: str) -> None:
    """Print the first lines, and how many more there are."""
    for line in lines[:most]:
        say(console, line)
    if len(lines) > most:
        say(console, rest.format(len(lines) - most))


def _table(report: Report, shown: list[Column]) -> object:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for column in shown:
        table.add_column(
            _cell(column.header), justify="left" if column.is_text else "right", no_wrap=True
        )
    for v in report.variants:
        table.add_row(*(_cell(column.written(v), _style(column, v)) for column in shown))
    return table


def _chosen(report: Report, keys: Sequence[str]) -> list[Column]:
    """Columns of the table; that of n leaves to words what became of the other runs."""
    return [
        replace(c, shown=replace(c.shown, text=lambda v: wording.n_text(v).partition(",")[0]))
        if c.name == "n" and c.shown
        else c
        for c in chosen(report, keys)
    ]


def _print_lost(report: Report, console: "Console") -> None:
    texts = {v.name: wording.n_text(v) for v in report.variants}
    lost = [for_terminal(f"{name}: n={text}") for name, text in texts.items() if "," in text]
    _say_first(console, _MAX_NAMED, lost, "and {} more, all in the report")


def _with_extra(keys: Sequence[str]) -> tuple[str, ...]:
    return (keys[0], "changes", "chosen", *keys[1:])


def _print_list(report: Report, console: "Console") -> None:
    """Two entries a variant, for terminals that no table fits."""
    listed = [column for column in shown_columns(report) if column.name in _LISTED]
    for v in report.variants:
        _say(console, f"{v.name}: {v.word}")
        facts = [f"{c.header} {text}" for c in listed if (text := c.written(v)) != wording.NONE]
        _say(console, f"  {'; '.join(facts)}")


def _width(report: Report, shown: list[Column]) -> int:
    from rich.cells import cell_len

    widths = [
        max(
            cell_len(for_terminal(text))
            for text in (c.header, *(c.written(v) for v in report.variants))
        )
        for c in shown
    ]
    return sum(widths) + 3 * len(shown)  # a space at each side, and one between


def _style(column: Column, variant: Variant) -> str:
    if column.name == "verdict" and variant.word in style.VERDICTS:
        return f"bold {style.VERDICTS[variant.word]}"
    return "dim" if variant.is_baseline and column.name == "verdict" else ""
