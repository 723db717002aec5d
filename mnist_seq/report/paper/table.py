"""The verdict table for a paper: booktabs, one line a variant, each with a mark for `check`."""

import re
from collections.abc import Sequence
from typing import Literal

from mnist_seq.report.markup.escape import for_latex
from mnist_seq.report.paper.marks import mark
from mnist_seq.report.paper.methods import Sentence
from mnist_seq.report.paper.numbers import ALL, Number, at, slugs, tex
from mnist_seq.report.paper.setup import Setup
from mnist_seq.report.paper.statistics import (
    difference_text,
    found_in,
    lost_text,
    margin_text,
    tests,
    verdict_text,
)
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report, Variant

Spread = Literal["sd", "interval", "none"]

_MOST_ROWS = 45  # that a page takes; more go into a table of their own
_LONG = 28  # letters of a name, from which its column breaks lines
_CELLS = 6


def tables(
    report: Report, setup: Setup | None, found: dict[str, Number], name: str, spread: Spread
) -> str:
    """The table, or as many as the rows need.

    Args:
        found: all numbers by their names.
        name: of the report, for marks and labels.
        spread: behind each mean.
    """
    chunks: list[list[str]] = [[]]
    for family in words.families(report):
        lines = _family(report, family, found, name, spread)
        if chunks[-1] and len(chunks[-1]) + len(lines) > _MOST_ROWS:
            chunks.append([])
        for start in range(0, len(lines), _MOST_ROWS):
            if start:
                chunks.append([])
            chunks[-1] += lines[start : start + _MOST_ROWS]
    made = []
    for i, lines in enumerate(chunks):
        caption = _caption(report, setup, found, name, spread) if not i else [
            "    Table~\\ref{tab:" + name + "}, continued."
        ]  # fmt: skip
        label = f"tab:{name}" if not i else f"tab:{name}-{i + 1}"
        made.append(_table(report, lines, caption, label, spread))
    return "\n\n".join(made)


def _table(report: Report, lines: list[str], caption: list[str], label: str, spread: Spread) -> str:
    long = max(map(len, (text for f in words.families(report) for text in f.labels.values())))
    first = "l" if long <= _LONG else "p{0.26\\textwidth}"
    is_compared = bool(found_in(report))
    form = f"@{{}}{first}rr" + "r@{\\hspace{0.5em}}lrl" * is_compared + "@{}"
    unit = f" ({for_latex(report.metric.unit)})" if report.metric.unit else ""
    level = for_latex(fmt.percent(report.level))
    mean = f"{_capital(for_latex(report.metric.last_name))}{unit}"
    heads = ["Variant", "Parameters", mean]
    if is_compared:
        heads += [f"\\multicolumn{{2}}{{c}}{{Difference [{level} interval]}}", "$p$", "Verdict"]
    return "\n".join(
        [
            "\\begin{table}[tbp]",
            "  \\centering",
            "  \\caption{%",
            *caption,
            "  }",
            f"  \\label{{{label}}}",
            "  \\smallskip",
            "  \\footnotesize" if spread == "interval" else "  \\small",
            "  \\setlength{\\tabcolsep}{3.2pt}",
            f"  \\begin{{tabular}}{{{form}}}",
            "    \\toprule",
            f"    {' & '.join(heads)} \\\\",
            "    \\midrule",
            *_without_doubles(lines),
            "    \\bottomrule",
            "  \\end{tabular}",
            "\\end{table}",
        ]
    )


def _without_doubles(lines: list[str]) -> list[str]:
    """Without a rule that follows the head's."""
    return lines[1:] if lines and lines[0].strip() == "\\midrule" else lines


def _family(
    report: Report, family: words.Family, found: dict[str, Number], name: str, spread: Spread
) -> list[str]:
    """A baseline and what is compared with it, below the line that says what they share."""
    is_compared = bool(found_in(report))
    lines = ["    \\midrule"]
    indent = ""
    if family.title:
        columns = 7 if is_compared else 3
        title = for_latex(family.title)
        lines.append(f"    \\multicolumn{{{columns}}}{{l}}{{\\emph{{{title}}}}} \\\\")
        indent = "\\quad "
    for v in family.variants:
        cells, names = _cells(report, v, spread, is_compared=is_compared)
        own = slugs(report)[v.key]
        label = for_latex(family.labels[v.key]) + _n(report, v)
        row = f"    {indent}{label} & {' & '.join(cells)} \\\\"
        lines.append(f"{row} {mark(name, own, at(found, own, names))}")
    return lines


def _n(report: Report, v: Variant) -> str:
    """The number of seeds of a row that has fewer than others."""
    most = max((w.n for w in report.variants), default=0)
    own = v.compared.comparison.n if v.compared and v.compared.comparison.is_paired else v.n
    return f" ($n={own}$)" if own != most else ""


def _cells(
    report: Report, v: Variant, spread: Spread, *, is_compared: bool
) -> tuple[list[str], tuple[str, ...]]:
    """The cells of a variant behind its name, and the names of the numbers in them."""
    d = words.decimals_of(report)
    mean = fmt.number(v.mean, d)
    names = ["num_params", "mean"]
    if spread == "sd" and v.n > 1:
        mean += f" \N{PLUS-MINUS SIGN} {fmt.number(v.sd, d)}"
        names.append("sd")
    if spread == "interval" and v.n > 1:
        mean += f" {fmt.interval(v.low, v.high, d)}"
        names += ["low", "high"]
    cells = [tex(fmt.count(v.num_params)), tex(mean)]
    if not is_compared:
        return cells, tuple(names)
    if v.compared is None:
        word = "" if v.is_baseline else words.verdict(v)
        return [*cells, "\\multicolumn{2}{c}{--}", "--", word or "baseline"], tuple(names)
    c, verdict = v.compared.comparison, words.verdict(v)
    difference = tex(fmt.signed(c.difference, d))
    if verdict in ("better", "worse"):
        difference = f"\\textbf{{{difference}}}"
    ends = tex(fmt.interval(c.interval.low, c.interval.high, d, is_signed=True))
    is_marked = v.compared.kind == "anytime" and {x.kind for x in found_in(report)} != {"anytime"}
    p = tex(fmt.p_value(v.compared.verdict.p_adjusted, report.rule.alpha))
    p += "\\rlap{$^{a}$}" if is_marked else ""
    names += ["difference", "difference_low", "difference_high", "p_adjusted", "verdict"]
    return [*cells, difference, ends, p, verdict], tuple(names)


def _caption(
    report: Report, setup: Setup | None, found: dict[str, Number], name: str, spread: Spread
) -> list[str]:
    """The caption, one sentence a line, each with the mark of its numbers."""
    said = [_what(report, setup), *_values(report, spread)]
    if found_in(report):
        said.append(Sentence(*difference_text(report, is_caption=True)))
        said += [Sentence(*one) for one in tests(report, is_caption=True)]
        said += [Sentence(*one)] if (one := verdict_text(report)) else []
    if report.rule.margin is not None and found_in(report):
        said.append(Sentence(*margin_text(report)))
    if lost := lost_text(report):
        said.append(Sentence(lost))
    return [f"    {line}" for line in marked(said, found, name)]


def marked(said: Sequence[Sentence], found: dict[str, Number], name: str) -> list[str]:
    """Sentences in LaTeX, one a line, each with the mark of its numbers."""
    lines = []
    for sentence in said:
        names = at(found, ALL, sentence.names)
        comment = f" {mark(name, ALL, names)}" if names else ""
        lines.append(f"{_math(for_latex(sentence.text))}{comment}")
    return lines


def _math(text: str) -> str:
    """Letters of statistics in italics: p, and the t of a test or an interval."""
    return re.sub(r"(?<![\w\\={])(p(?![\w=])|t(?=-(?:test|interval)))", r"$\1$", text)


def _what(report: Report, setup: Setup | None) -> Sentence:
    """Metric, data and budget."""
    text, names = _capital(report.metric.label), []
    if setup is not None and setup.one("data") is not None:
        text += f" on {words.data(str(setup.one('data')))}"
        aside = []
        for name, noun in (("num_train", "training examples"), ("updates", "updates")):
            values = [v for v in setup.all_of(name) if isinstance(v, int | float)]
            if values:
                ends = dict.fromkeys(map(fmt.count, (values[0], values[-1])))
                aside.append(f"{' to '.join(ends)} {noun}")
                names.append(name)
        text += f" ({', '.join(aside)})" if aside else ""
    return Sentence(f"{text}.", tuple(names))


def _values(report: Report, spread: Spread) -> Sequence[Sentence]:
    """What stands behind each mean, and over how many seeds."""
    n = sorted({v.n for v in report.variants})
    seeds = f"{n[0]} seed{'s' * (n[0] != 1)}" if len(n) == 1 else f"{n[0]} to {n[-1]} seeds"
    ends = {"sd": " ± standard deviation", "none": "",
            "interval": f" with its {fmt.percent(report.level)} t-interval"}[spread]  # fmt: skip
    names = ("n_all",) + (("level",) if spread == "interval" else ())
    return [Sentence(f"{_capital(report.metric.last_name)}: mean{ends} over {seeds}.", names)]


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
