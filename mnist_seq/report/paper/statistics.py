"""How a comparison was judged, in sentences for a caption and for the methods of a paper."""

from collections import Counter

from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Compared, Report, Variant
from mnist_seq.runs.text import plural

Said = tuple[str, tuple[str, ...]]  # a sentence, and the names of the numbers in it

_SO_FAR: Said = ("So far: runs of the sweep are not done, so p and verdicts wait for them.", ())

_METHODS = {"holm": "by Holm's method", "bh": "by the method of Benjamini and Hochberg"}


def found_in(report: Report) -> list[Compared]:
    """The comparisons of a report."""
    return [v.compared for v in report.variants if v.compared]


def statistics(report: Report, spread: str) -> list[Said]:
    """Means, differences, tests, correction, and what a verdict is: for the methods.

    Args:
        spread: what stands behind each mean: "sd", "interval" or "none".
    """
    behind = {"sd": " and standard deviations", "none": "",
              "interval": f" and {fmt.percent(report.level)} t-intervals"}[spread]  # fmt: skip
    means: Said = (f"We report means{behind} over seeds.", ("level",) * (spread == "interval"))
    if not found_in(report):
        return [means]
    found = [means, difference_text(report, is_caption=False), *tests(report, is_caption=False)]
    if any(v.word != "so far" for v in report.variants if v.compared):
        found.append((f"A variant counts as better or worse where {_decided(report)}.", ("alpha",)))
    return [*found, *([margin_text(report)] if report.rule.margin is not None else [])]


def difference_text(report: Report, *, is_caption: bool) -> Said:
    """What a difference and its interval are."""
    found, level = found_in(report), fmt.percent(report.level)
    paired = sum(x.comparison.is_paired for x in found)
    over = "mean over seeds of variant minus baseline with the same seed"
    if not paired:
        over = "mean of the variant minus mean of the baseline, whose seeds do not pair"
    elif paired < len(found):
        over += f" ({plural(len(found) - paired, 'comparison')} without pairs of seeds: of means)"
    unit = f", in {_unit(report)}" if report.metric.points else ""
    lead = "Difference: " if is_caption else "A difference is the "
    intervals = fmt.joined(interval_kinds(report), "or")
    return f"{lead}{over}{unit}, with its {level} {intervals}.", ("level",)


def _unit(report: Report) -> str:
    return "percentage points" if report.metric.points == "points" else report.metric.points


def interval_kinds(report: Report) -> list[str]:
    """The kinds of the intervals of differences, in words."""
    found = found_in(report)
    names = {"t": "t-interval", "welch-t": "Welch t-interval"}
    kinds = []
    for x in found:
        if x.kind == "anytime":
            kinds.append("confidence sequence")
        elif x.comparison.interval.kind != "constant":
            kinds.append(names.get(x.comparison.interval.kind, x.comparison.interval.kind))
    return list(dict.fromkeys(kinds)) or ["interval"]


def tests(report: Report, *, is_caption: bool) -> list[Said]:
    """How p was made, and for how many looks it holds."""
    kinds = Counter(x.kind for x in found_in(report))
    fixed = [x for x in found_in(report) if x.kind != "anytime"]
    some = f" of {plural(len(fixed), 'comparison')}" if kinds["anytime"] else ""
    said: list[Said] = []
    if not found_in(report):  # one seed each, say: there is no p, and none to wait for
        return []
    if all(v.word == "so far" for v in report.variants if v.compared):
        return [_SO_FAR]
    if fixed:
        lead = f"p{some}: " if is_caption else f"P values{some} are of a "
        text = f"{lead}{_test(report, fixed)}{_adjusted(report)}"
        if kinds["one look"]:
            text += ("; it holds" if is_caption else "; they hold") + (
                " for one look at this number of seeds: no plan from before the runs says that "
                "this was the only one"
            )  # fmt: skip
        else:
            text += ", computed once, at the number of seeds that was planned before the first run"
        said.append((f"{text}.", ("num_comparisons",)))
    if kinds["anytime"]:
        some = f" of the {plural(kinds['anytime'], 'comparison')} marked a" if fixed else ""
        e_value = {"t": "a Gaussian-mixture t", "permutation": "sign flips"}[report.rule.test]
        lead = f"p{some}: anytime-valid" if is_caption else f"P values{some} are anytime-valid"
        said.append((
            f"{lead}, 1 / (largest e-value of {e_value} so far){_adjusted(report)}, so that "
            "it does not matter how often the results were looked at or when seeds were added.",
            ("num_comparisons",),
        ))  # fmt: skip
    if any(v.word == "so far" for v in report.variants):
        said.append(_SO_FAR)
    return said


def _test(report: Report, fixed: list[Compared]) -> str:
    if report.rule.test == "permutation":
        how = fmt.joined(list(dict.fromkeys(x.comparison.permutation for x in fixed)), "or")
        return f"two-sided permutation test ({how})"
    kinds = {x.comparison.is_paired for x in fixed}
    names = [name for is_paired, name in ((True, "paired t-test"), (False, "Welch's t-test"))
             if is_paired in kinds]  # fmt: skip
    return f"two-sided {fmt.joined(names, 'or')}"


def _adjusted(report: Report) -> str:
    num = report.num_comparisons
    if num == 1:
        return ", for 1 comparison, which needs no correction"
    if report.rule.correction == "none":
        return f", not adjusted for {plural(num, 'comparison')}"
    return f", adjusted {_METHODS[report.rule.correction]} for {plural(num, 'comparison')}"


def verdict_text(report: Report) -> Said | None:
    """What bold and the words of the verdicts mean, for those that occur; None without any."""
    shown = {words.verdict(v) for v in report.variants if v.compared}
    parts = []
    if shown - {"so far"}:
        parts.append(f"bold: better or worse, {_decided(report)}")
    if "undecided" in shown:
        parts.append("undecided: not shown to differ, nor to be equal")
    if "withheld" in shown:
        parts.append("withheld: runs diverged or failed, and the verdict is another one where each "
                     "of them counts as a guess")  # fmt: skip
    text = "; ".join(parts)
    return (f"{text[0].upper()}{text[1:]}.", ("alpha",)) if parts else None


def _decided(report: Report) -> str:
    """The rule for "better" and "worse"."""
    p = "p" if report.rule.correction == "none" else "the adjusted p"
    kinds = {x.kind for x in found_in(report)}
    sign = "at most" if kinds == {"anytime"} else "below"
    return f"{p} is {sign} {report.rule.alpha:g} and the interval leaves out 0"


def margin_text(report: Report) -> Said:
    """What "equivalent" means."""
    margin = words.points(report, f"{report.rule.margin:g}")
    kinds = {x.kind for x in found_in(report)}
    test = "two one-sided e-values" if kinds == {"anytime"} else "two one-sided tests"
    return (
        f"Equivalent: {test} at {report.rule.alpha:g} show a difference below {margin}, a margin "
        "that was declared; they are not adjusted.",
        ("margin", "alpha"),
    )


def lost_text(report: Report) -> str:
    """Runs that are left out of means, for a caption; "" where there are none."""

    def text(v: Variant) -> str:
        lost = [f"{getattr(v, s)} {s}" for s in ("diverged", "failed", "interrupted", "unreadable")
                if getattr(v, s)]  # fmt: skip
        return f"{words.labels(report)[v.key]} ({fmt.joined(lost)})" if lost else ""

    found = [t for v in report.variants if (t := text(v))]
    if not found:
        return ""
    if len(found) > 4:
        return (
            f"Runs of {len(found)} variants did not end with a result, and are left out of means."
        )
    return f"Left out of means, without a result: {fmt.joined(found)}."
