"""The table of published numbers, as rows of text that every rendering shows."""

from collections.abc import Iterable, Mapping, Sequence

from mnist_seq.config.schema.expects import band
from mnist_seq.published import words
from mnist_seq.published.judging import Verdict, judge
from mnist_seq.published.rows import Row
from mnist_seq.published.stored import Stored

HEADER = ("number", "paper", "band", "ours", "n", "verdict", "time", "source",
          "how theirs differs")  # fmt: skip
GAP = 2  # characters between two columns of a terminal
SHORT = 7  # columns that a terminal shows
_FIRST_TO_GO = ("band", "time", "paper")  # where it is narrow


def verdicts(rows: Iterable[Row], results: Mapping[str, Stored]) -> list[Verdict]:
    """Each row judged by its result, where there is one."""
    return [judge(row, results.get(row.id)) for row in rows]


def texts(verdict: Verdict) -> tuple[str, ...]:
    """One line of the table, in the order of `HEADER`."""
    expected = verdict.row.expected
    place = "" if expected.place == "not known" else f", {expected.place}"
    budget = "" if expected.budget == "not known" else f"; {expected.budget}"
    return (
        verdict.row.id,
        words.published(expected),
        words.published_band(expected),
        words.ours(verdict),
        str(verdict.n) if verdict.n else words.NONE,
        words.word(verdict),
        words.cost(verdict),
        f"{expected.source}{place}{budget}",
        expected.differs,
    )


def fitting(verdicts: Sequence[Verdict], width: int) -> dict[str, list[str]]:
    """The columns that a terminal has room for without breaking a word, by their headings."""
    rows = [texts(verdict) for verdict in verdicts]
    columns = {head: [row[i] for row in rows] for i, head in enumerate(HEADER[:SHORT])}
    for first in _FIRST_TO_GO:
        if sum(map(sum, _least(columns))) > width:
            del columns[first]
    return columns


def widths(columns: Mapping[str, Sequence[str]], width: int) -> list[int]:
    """The width of each column: its longest word, and more from the left while there is room."""
    least = _least(columns)
    left, found = width - sum(map(sum, least)), []
    for (word, _), (head, cells) in zip(least, columns.items(), strict=True):
        more = min(max(0, left), max(map(len, [head, *cells])) - word)
        left -= more
        found.append(word + more)
    return found


def _least(columns: Mapping[str, Sequence[str]]) -> list[tuple[int, int]]:
    """The longest word of each column, and the space behind it."""
    words = [
        [w for text in [head, *cells] for w in text.split()] for head, cells in columns.items()
    ]
    return [(max(map(len, of)), GAP) for of in words]


CSV = ("number", "experiment", "overrides", "metric", "published", "low", "high", "mean",
       "interval_low", "interval_high", "n", "verdict", "why", "minutes", "source", "place",
       "budget", "differs")  # fmt: skip


def fields(verdict: Verdict) -> tuple[str, ...]:
    """One line of the CSV, in the order of `CSV`: plain numbers, empty where there is none."""
    row, expected = verdict.row, verdict.row.expected
    low, high = band(expected)
    numbers = (expected.value, low, high, verdict.mean, verdict.low, verdict.high)
    told = tuple("" if x != x else f"{x:.10g}" for x in numbers)
    minutes = "" if verdict.minutes != verdict.minutes else f"{verdict.minutes:.3f}"
    return (
        row.id, row.experiment, " ".join(expected.overrides), expected.metric, *told,
        str(verdict.n), verdict.word, verdict.why, minutes, expected.source, expected.place,
        expected.budget, expected.differs,
    )  # fmt: skip
