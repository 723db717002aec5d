"""The answer as a small table, for renderings that show it without its chart."""

from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report, Variant


def header(report: Report) -> list[str]:
    """The titles of its columns; that of the first, the variant, is empty."""
    unit = f", {report.metric.points}" if report.metric.points else ""
    level = fmt.percent(report.level)
    return ["", "parameters", "seeds", report.metric.title, f"difference{unit}",
            f"{level} interval", "p", "verdict"]  # fmt: skip


def cells(report: Report, v: Variant) -> list[str]:
    """What stands in them for a variant, without its name."""
    d = words.decimals_of(report)
    mean = fmt.number(v.mean, d) + (f" ± {fmt.number(v.sd, d)}" if v.n > 1 else "")
    n = str(v.n) if v.n == v.planned else f"{v.n} of {v.planned}"
    found = [fmt.count(v.num_params), n, mean]
    if v.compared is None:
        apart = fmt.signed(v.apart, d) if v.pairs else fmt.NONE
        return [*found, apart, fmt.NONE, fmt.NONE, words.verdict(v)]
    c = v.compared.comparison
    return [
        *found,
        fmt.signed(c.difference, d),
        fmt.interval(c.interval.low, c.interval.high, d, is_signed=True),
        fmt.p_value(v.compared.verdict.p_adjusted, report.rule.alpha),
        words.verdict(v),
    ]
