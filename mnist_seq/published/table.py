"""The table of published numbers, as rows of text that every rendering shows."""

from collections.abc import Iterable, Mapping

from mnist_seq.config.schema.expects import band
from mnist_seq.published import words
from mnist_seq.published.judging import Verdict, judge
from mnist_seq.published.rows import Row
from mnist_seq.published.stored import Stored

HEADER = ("number", "paper", "band", "ours", "n", "verdict", "time", "source",
          "how theirs differs")  # fmt: skip
SHORT = 7  # columns without long texts


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
