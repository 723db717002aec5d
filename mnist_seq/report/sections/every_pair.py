"""Every pair of variants, where `pairs=all` asks for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_seq.report import wording
from mnist_seq.report.sections import FORMATS, Inputs, Section, Table
from mnist_seq.report.value import Pair, Report
from mnist_seq.stats import said

_AT_TERMINAL = 45  # pairs of ten variants; more are in the page and report.md


@dataclass(frozen=True)
class Pairs:
    """All pairs, by the order of the report."""

    pairs: tuple[Pair, ...]


class EveryPair(Section[Pairs]):
    """Needs `pairs=all`, and two variants."""

    order = 25.0
    heading = "Every pair"

    def compute(self, inputs: Inputs) -> Pairs | None:
        """The pairs; their p are corrected together with those of the verdict table."""
        return Pairs(tuple(inputs.pairs)) if inputs.pairs else None

    def tables(self, report: Report, part: Pairs) -> Sequence[Table]:
        """One row a pair."""
        level, unit = wording.percent(report.level), report.metric.points
        difference = f"difference, {unit}" if unit else "difference"
        adjusted = {"holm": "p (Holm)", "bh": "p (BH)", "none": "p"}[report.rule.correction]
        header = ("variant", "against", difference, f"{level} interval", "n", adjusted, "verdict")
        num = sum(pair.compared is not None for pair in part.pairs)
        caption = (
            f"Every pair of variants: better or worse is the variant. p is of the declared test, "
            f"corrected over these {num} comparisons, as it is in the verdict table: to ask for "
            "all pairs costs power."
        )
        formats = FORMATS if len(part.pairs) <= _AT_TERMINAL else FORMATS[:-1]
        rows = tuple(_row(report, pair) for pair in part.pairs)
        return [Table("Every pair", header, rows, caption, wrap=("verdict",), formats=formats,
                      is_answer=True)]  # fmt: skip


def _row(report: Report, pair: Pair) -> tuple[str, ...]:
    names = (report.variants[pair.a].label, report.variants[pair.b].label)
    if pair.compared is None:
        return (*names, *(wording.NONE,) * 4, said(pair.verdict.word))
    c, d = pair.compared.comparison, report.metric.decimals
    return (
        *names,
        wording.signed(c.difference, d),
        wording.span(c.interval.low, c.interval.high, d),
        c.n_text,
        wording.p_value(pair.verdict.p_adjusted),
        said(pair.verdict.word),
    )
