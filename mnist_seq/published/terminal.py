"""The table of published numbers in a terminal."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console

from mnist_seq.published import words
from mnist_seq.published.judging import RULE, Verdict
from mnist_seq.published.table import HEADER, SHORT, texts
from mnist_seq.runs.console import cell, say, wrapped

_GAP = 2  # characters before a column; one less before numbers, which have blanks to their left
_NARROW = ("number", "paper", "ours", "n", "verdict", "time")
_RIGHT = ("n",)
_GLUE = "\N{NO-BREAK SPACE}"  # within what no line breaks


def show(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print the table, why numbers are open, and the rule of the verdicts."""
    for line in lines_of(verdicts, console.width):
        console.print(cell(line), highlight=False, soft_wrap=True)
    for verdict in verdicts:
        if verdict.why:
            say(console, f"{verdict.row.id}: {words.word(verdict)}")
    if any(words.cost_short(verdict).startswith("~") for verdict in verdicts):
        say(console, "~: a guess, of one seed")
    say(console, RULE)


def lines_of(verdicts: Sequence[Verdict], width: int) -> Iterator[str]:
    """One line a number; with shorter texts in a narrow terminal, and entries where no table fits.

    Args:
        width: of the terminal, in characters.
    """
    whole = [(*texts(v)[: SHORT - 2], v.word, words.cost_short(v)) for v in verdicts]
    for head, rows in ((HEADER[:SHORT], whole), (_NARROW, [*map(_narrow, verdicts)])):
        columns = list(zip(head, *rows, strict=True))
        widths = [max(map(cell_len, column)) for column in columns]
        widths = [max(2, w) if name in _RIGHT else w for name, w in zip(head, widths, strict=True)]
        lines = [_line(head, row, widths) for row in (head, *rows)]
        if max(map(cell_len, lines)) <= width:
            yield from lines
            return
    for verdict in verdicts:
        number, *facts = zip(_NARROW, _narrow(verdict), strict=True)
        yield f"{number[1]}: {verdict.word}"
        told = [
            f"{head} {text}".replace(" ", _GLUE)
            for head, text in facts
            if head != "verdict" and text != words.NONE
        ]
        yield from (line.replace(_GLUE, " ") for line in wrapped(f"  {'; '.join(told)}", width))


def _narrow(verdict: Verdict) -> tuple[str, ...]:
    """One line of the narrow table, in the order of `_NARROW`."""
    number, n = verdict.row.id, str(verdict.n) if verdict.n else words.NONE
    paper, ours = words.published_short(verdict.row.expected), words.ours_short(verdict)
    return number, paper, ours, n, verdict.word, words.cost_short(verdict)


def _line(head: Sequence[str], row: Sequence[str], widths: Sequence[int]) -> str:
    cells = []
    for name, text, width in zip(head, row, widths, strict=True):
        blank = " " * (width - cell_len(text))
        is_right = name in _RIGHT
        cells.append(" " * (_GAP - is_right) + (f"{blank}{text}" if is_right else f"{text}{blank}"))
    return "".join(cells)[_GAP:].rstrip()
