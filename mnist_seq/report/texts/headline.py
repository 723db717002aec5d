"""The answer in sentences: names and numbers, what is decided first, then what is not."""

from collections.abc import Sequence

from mnist_seq.report.texts import fmt, words
from mnist_seq.report.value import Report, Variant
from mnist_seq.runs.text import plural
from mnist_seq.runs.variants import ARM
from mnist_seq.stats import said

_MOST_NAMED = 3  # variants that a sentence names one by one

Own = tuple[words.Family, Variant]


def headline(report: Report) -> tuple[str, ...]:
    """One to four sentences, each with its full stop."""
    if not report.variants:  # of several tasks, which have sentences of their own
        return (report.headline,)
    compared = [
        (family, v) for family in words.families(report) for v in family.members if v.compared
    ]
    found: list[str] = []
    if report.undone:
        verb = "is" if report.undone.startswith("1 ") else "are"
        found.append(f"So far: {report.undone} {verb} not done.")
    if not compared:
        return (*found, *_without_comparison(report))
    for word in ("better", "worse", "equivalent"):
        if own := [(f, v) for f, v in compared if v.word == word]:
            found.append(_decided(report, own, word, compared))
    is_any = len(found) > bool(report.undone)
    open_ones = [(f, v) for f, v in compared if words.verdict(v) == "undecided"]
    if open_ones:
        found.append(_undecided(report, open_ones, compared, is_first=not is_any))
    if held := [(f, v) for f, v in compared if v.word == "withheld"]:
        found.append(_withheld(report, held))
    if waiting := [(f, v) for f, v in compared if v.word == "so far"]:
        large = max(waiting, key=lambda own: abs(_difference(own[1])))
        found.append(
            f"No verdict yet on {plural(len(waiting), 'variant')}; the largest difference so far "
            f"is {_signed(report, large)}."
        )
    return tuple(found)


def _without_comparison(report: Report) -> list[str]:
    """What can be said of one seed each, of a baseline alone, or of variants without baseline."""
    families, d = words.families(report), words.decimals_of(report)
    apart = [(f, v) for f in families for v in f.members if v.pairs]
    metric = report.metric
    if found := _searched(report):
        return found
    if apart:
        ranked = sorted(apart, key=lambda own: -abs(own[1].apart))[:_MOST_NAMED]
        base = _base_name(ranked[0][0])
        parts = [
            f"{name} {words.points(report, fmt.signed(v.apart, d))}"
            for name, (_, v) in zip(_names(report, ranked), ranked, strict=True)
        ]
        more = f" ({len(apart) - len(ranked)} more below)" if len(apart) > len(ranked) else ""
        return [
            f"Against {base}: {fmt.joined(parts)}{more}.",
            "One seed each: no interval and no verdict.",
        ]
    known = [v for v in report.variants if v.n]
    if not known:
        return ["No run has finished with a result."]
    if len(known) == 1:
        (only,) = known
        mean = fmt.with_unit(fmt.number(only.mean, d), metric.unit)
        ends = fmt.interval(only.low, only.high, d)
        name = words.labels(report)[only.key]
        of = f" {ends}" if ends != fmt.NONE else ""
        alone = f"{name}: {mean}{of} {metric.label} with {words.seeds(known)}."
        besides = [f"Nothing is compared: {_obstacle(report)}."] if len(report.variants) > 1 else []
        return [alone, *besides]
    least, most = (fmt.number(f(v.mean for v in known), d) for f in (min, max))
    span = fmt.with_unit(most, metric.unit) if least == most else (
        f"from {least} to {fmt.with_unit(most, metric.unit)}"
    )  # fmt: skip
    return [
        f"{plural(len(known), 'variant')}: mean {metric.label} {span}.",
        f"Nothing is compared: {_obstacle(report)}.",
    ]


def _searched(report: Report) -> list[str]:
    """What a search has found: the best trial on validation, and what it has on test."""
    if "search" not in report.parts:
        return []
    from mnist_seq.report.sections.search import Search  # needs the library of charts

    if (part := Search.of(report)) is None:
        return []
    found = []
    for curve in part.curves[:_MOST_NAMED]:
        if curve.winner is None:
            continue
        v, d, m = report.variants[curve.winner], report.metric.decimals, report.metric
        valid = fmt.with_unit(fmt.number(curve.winner_value, d), m.unit)
        test = f", {fmt.with_unit(fmt.number(v.mean, d), m.unit)} {m.label}" if v.n else ""
        is_one = len({v.cell for v in report.variants}) == 1 and len(part.curves) == 1
        name = "The best" if is_one else f"{curve.name}: the best"
        found.append(
            f"{name} of {curve.num_trials} trials is {v.label}: {valid} "
            f"{part.selector.label}{test}."
        )
    return found


def _obstacle(report: Report) -> str:
    found = {str(v.word) for v in report.variants}
    if "no baseline" in found:
        return "the baseline is missing"
    return "it takes 2 seeds on both sides" if "too few seeds" in found else "there is one baseline"


def _decided(report: Report, own: Sequence[Own], word: str, compared: Sequence[Own]) -> str:
    d = words.decimals_of(report)
    by_label: dict[str, list[Own]] = {}
    for family, v in own:
        by_label.setdefault(family.labels[v.key], []).append((family, v))
    base = _base_name(own[0][0])
    if len(by_label) > _MOST_NAMED:
        ranked = sorted(own, key=lambda one: -abs(_difference(one[1])))
        far, near = ranked[0], ranked[-1]
        if word == "equivalent":
            return f"{len(own)} of {len(compared)} variants are equivalent to {base}."
        ends = [fmt.number(abs(_difference(v)), d) for _, v in (far, near)]
        names = _names(report, [far, near])
        return (
            f"{len(own)} of {len(compared)} variants are {word} than {base}, by {ends[1]} "
            f"({names[1]}) to {words.points(report, ends[0])} ({names[0]})."
        )
    ranked_labels = sorted(
        by_label, key=lambda k: -max(abs(_difference(v)) for _, v in by_label[k])
    )
    parts = []
    for label in ranked_labels:
        some = by_label[label]
        name = _name(report, label)
        where = _where(some, [one for one in compared if one[0].labels[one[1].key] == label])
        if word == "equivalent":
            parts.append(f"{name} is equivalent to {base}{where}")
            continue
        sizes = [abs(_difference(v)) for _, v in some]
        span = fmt.number(min(sizes), d)
        if fmt.number(max(sizes), d) != span:
            span = f"{span} to {fmt.number(max(sizes), d)}"
        than = f" than {base}" if not parts else ""
        parts.append(f"{name} is {words.points(report, span)} {word}{than}{where}")
    return _capital(f"{fmt.joined(parts)}.")


def _undecided(
    report: Report, own: Sequence[Own], compared: Sequence[Own], *, is_first: bool
) -> str:
    base, num = _base_name(own[0][0]), words.seeds([v for _, v in own])
    if len(own) == len(compared) and len(own) > _MOST_NAMED:
        large = max(own, key=lambda one: abs(_difference(one[1])))
        what = "changes to " if ARM in report.factor_keys else "variants can be told apart from "
        verb = " is decided" if ARM in report.factor_keys else ""
        return (
            f"None of {len(own)} {what}{base}{verb} with {num}. The largest difference is "
            f"{_signed(report, large)}."
        )
    labels = list(dict.fromkeys(family.labels[v.key] for family, v in own))
    if len(labels) > _MOST_NAMED:
        return f"{len(own)} of {len(compared)} cannot be told apart from it with {num}."
    names = []
    for label in labels:
        some = [one for one in own if one[0].labels[one[1].key] == label]
        every = [one for one in compared if one[0].labels[one[1].key] == label]
        names.append(f"{_name(report, label)}{_where(some, every)}")
    than = base if is_first else "it"
    return _capital(f"{fmt.joined(names)} cannot be told apart from {than} with {num}.")


def _withheld(report: Report, held: Sequence[Own]) -> str:
    """That a verdict hangs on runs that are lost; of one variant, both readings."""
    names = fmt.joined(_names(report, held))
    compared = held[0][1].compared
    if len(held) > 1 or compared is None or compared.second is None:
        return f"No verdict on {names}: it hangs on runs that diverged or failed."
    second, v = compared.second, held[0][1]
    return (
        f"No verdict on {names}: {said(second.first)} among the {v.n} of "
        f"{v.n + v.diverged + v.failed} runs that trained, {said(second.word)} where the "
        "others count as a guess."
    )


def _where(some: Sequence[Own], every: Sequence[Own]) -> str:
    """In which families a statement holds; "" where in all of them."""
    if len(some) == len(every):
        return ""
    if len(some) > _MOST_NAMED:
        return f" in {len(some)} of its {len(every)} comparisons"
    return f" with {fmt.joined([family.within for family, _ in some])}"


def _names(report: Report, own: Sequence[Own]) -> list[str]:
    """Names of variants within a sentence, with their family where there are several."""
    return [
        f"{_name(report, f.labels[v.key])}{f' with {f.within}' if f.title else ''}" for f, v in own
    ]


def _name(report: Report, label: str) -> str:
    """A label within a sentence: a cell of ours has its article; others have none."""
    is_cell = words.CELL in report.factor_keys and ARM not in report.factor_keys
    return f"the {label}" if is_cell and words.is_known(label) else label


def _base_name(family: words.Family) -> str:
    if family.baseline is None:
        return "its baseline"
    return f"the {family.base_name}"


def _signed(report: Report, own: Own) -> str:
    d = words.decimals_of(report)
    size = words.points(report, fmt.signed(_difference(own[1]), d))
    return f"{size} ({_names(report, [own])[0].removeprefix('the ')})"


def _difference(v: Variant) -> float:
    assert v.compared is not None
    return v.compared.comparison.difference


def _capital(text: str) -> str:
    """The first letter of a sentence; a setting such as lr=0.01 stays as it is written."""
    return f"T{text[1:]}" if text.startswith("the ") else text
