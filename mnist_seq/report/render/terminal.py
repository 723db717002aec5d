"""A report at the terminal: the answer, the verdict table, and what weakens them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_seq.report import wording
from mnist_seq.report.markup.escape import for_terminal
from mnist_seq.report.render.answer_table import lines_of
from mnist_seq.report.sections import Table, tables_of
from mnist_seq.report.texts import words
from mnist_seq.report.texts.headline import headline
from mnist_seq.report.value import Report
from mnist_seq.runs.console import near, say, say_command

if TYPE_CHECKING:
    from rich.console import Console

_MAX_NAMED = 5  # folders that are named one by one
_MAX_COMMANDS = 5  # that add what is missing


def print_report(report: Report, console: "Console", *, has_details: bool = False) -> None:
    """Print what the terminal shows of a report.

    Args:
        has_details: also the rule, a sentence for each variant, all tables and notes.
    """
    print_table(report, console)
    for table in tables_of(report, "terminal"):
        if table.is_answer or has_details:
            _print_rows(table, console)
    if has_details:
        say(console, "")
        for text in _details(report):
            _say(console, text)


def print_table(report: Report, console: "Console") -> None:
    """Print the answer, the verdict table, and what is missing: what ends every sweep."""
    say(console, for_terminal(" ".join(headline(report))), "bold")
    for text in report.besides:
        _say(console, text)
    _say(console, report.counts)
    if report.variants:
        console.print()
        for line in lines_of(report, console.width):
            console.print(line, soft_wrap=True, highlight=False)
    for task, own in report.tasks.items():
        console.print()
        say(console, for_terminal(words.data(task)), "bold")
        print_table(own, console)
    if text := wording.looks_text(report.rule, report.variants):
        say(console, text, "dim")
    lost = {v.label: wording.n_text(v) for v in report.variants}
    named = [f"{name}: n={text}" for name, text in lost.items() if " of " in text]
    _say_first(console, named, "and {} more, all in the report")
    _print_warnings(report, console)


def print_written(paths: Sequence[Path], console: "Console") -> None:
    """Say where the report is: the page to open, and what lies beside it."""
    if paths:
        console.print()
        say_command(console, "report:", near(paths[0]))
        if others := [path.name for path in paths[1:]]:
            say(console, f"beside it: {', '.join(others)}")


def _print_warnings(report: Report, console: "Console") -> None:
    lost = [run for run in report.runs if run.state in ("failed", "unreadable")]
    named = [f"{run.state}: {near(run.folder)} ({run.reason})" for run in lost]
    skipped = [f"skipped: {near(s.folder)} ({s.reason})" for s in report.skipped]
    if report.warnings or lost or skipped or report.missing:
        console.print()
    for warning in report.warnings:
        _say(console, f"warning: {warning}")
    _say_first(console, named, "and {} more, all named in the report")
    _say_first(console, skipped, "skipped: {} more, all named in the report")
    for m in report.missing[:_MAX_COMMANDS]:
        _say(console, f"missing: {m.what}, seed {', '.join(map(str, m.seeds))}; to add it:")
        say_command(console, " ", for_terminal(m.command))
    if more := report.missing[_MAX_COMMANDS:]:
        _say(console, f"missing: {len(more)} more, all in the report")


def _details(report: Report) -> Iterator[str]:
    yield f"rule: {report.rule_text}"
    for text in dict.fromkeys(own.rule_text for own in report.tasks.values()):
        tasks = [words.data(task) for task, own in report.tasks.items() if own.rule_text == text]
        yield f"rule on {', '.join(tasks)}: {text}"
    for caution in report.cautions:
        yield f"note: {caution}"
    for v in report.variants:
        if v.compared is not None:
            change = f" ({v.change})" if v.change else ""
            yield f"{v.label}{change} against {v.baseline_label}: {v.verdict}; {v.compared.pairing}"
        elif v.verdict and not v.is_baseline:
            yield f"{v.label}: {v.verdict}"
    for run in report.runs:
        if not run.is_learning or run.state == "interrupted":
            yield f"{run.outcome}: {near(run.folder)} ({run.reason})"
    for note in report.notes:
        yield f"note: {note}"


def _print_rows(table: Table, console: "Console") -> None:
    """Print a table of a section, a line for each row."""
    console.print()
    _say(console, table.title)
    for row in table.rows:
        pairs = zip(table.header[1:], row[1:], strict=True)
        cells = [f"{header} {text}" for header, text in pairs if text != wording.NONE]
        _say(console, f"  {row[0]}: {'; '.join(cells)}")
    _say(console, f"  {table.caption}")


def _say(console: "Console", text: str) -> None:
    say(console, for_terminal(text))


def _say_first(console: "Console", lines: Sequence[str], rest: str) -> None:
    """Print the first lines, and how many more there are."""
    for line in lines[:_MAX_NAMED]:
        _say(console, line)
    if len(lines) > _MAX_NAMED:
        say(console, rest.format(len(lines) - _MAX_NAMED))
