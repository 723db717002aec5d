"""The notes at the end of the page: what the numbers of the answer mean, and what they do not."""

from mnist_seq.report.charts.extent import is_cut
from mnist_seq.report.markup.escape import for_html
from mnist_seq.report.render.page import parts
from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report


def notes(report: Report) -> str:
    """The section: four numbered notes that the answer links to, then the others."""
    variants = report.variants or [v for own in report.tasks.values() for v in own.variants]
    level, num, alpha = fmt.percent(report.level), report.num_comparisons, report.rule.alpha
    is_anytime = any(v.compared and v.compared.kind == "anytime" for v in variants)
    total = f"{num} comparisons"
    if report.tasks:  # each has its own family of comparisons, and its own answer
        num = max(own.num_comparisons for own in report.tasks.values())
        total = "comparisons of a task"
    per = "the number of comparisons of its task" if report.tasks else f"{num}"
    kind = "interval or confidence sequence" if is_anytime else "t-interval"
    first = (
        f"Thick bar and brackets: {level} {kind} of the mean difference over seeds, for this row "
        "alone. It covers what a seed decides: the split, the initial weights, the order of the "
        "examples. It covers no other test examples and no other settings."
    )
    second = (
        f"Thin bar: the same at 1 {fmt.MINUS} {alpha:g}/{per} (Bonferroni), which holds for all "
        f"{total} at once. Where it meets 0 and the thick bar does not, the row is "
        "undecided because many were compared."
        f"{' A thin bar that ends at an edge goes on.' * is_cut(variants)}"
        if any(v.compared and v.compared.wide for v in variants)
        else "There is no thin bar: p is not corrected here, or is of an e-value."
    )
    method = {"holm": "Holm's method", "bh": "the method of Benjamini and Hochberg", "none": ""}
    adjusted = method[report.rule.correction]
    the = "the " if report.tasks else ""
    of = f", adjusted by {adjusted} over {the}{total}" if adjusted and num > 1 else ""
    third = f"p is two-sided{of}."
    fourth = f"The declared rule: {report.rule_text}."
    if any(words.verdict(v) == "undecided" for v in variants):
        fourth += (
            " “Undecided” (in report.csv “not distinguishable”) is no evidence that the two are "
            "equal. Seeds needed: how many in all would show the difference that was seen with "
            f"{fmt.percent(report.rule.power)} power, allowing for all comparisons."
        )
    texts = [first, second, third, fourth, *report.caution_sentences]
    items = "".join(
        f'<li id="n{place}">{for_html(text)}</li>' for place, text in enumerate(texts, start=1)
    )
    return parts.section("notes", "Notes", "", f'<ol class="notes">{items}</ol>')
