"""The table of published numbers in a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mnist_seq.published.judging import RULE, Verdict
from mnist_seq.published.table import GAP, fitting, widths
from mnist_seq.runs.console import cell, say


def show(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print the table, and the rule of its verdicts."""
    columns = fitting(verdicts, console.width)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for head, width in zip(columns, widths(columns, console.width), strict=True):
        table.add_column(cell(head), width=width)
    for line in zip(*columns.values(), strict=True):
        table.add_row(*map(cell, line))
    console.print(table)
    say(console, RULE)
