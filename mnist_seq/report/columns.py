"""The columns of a comparison, declared once: for the verdict table, report.csv and data frames.

A new number of a variant is one field (of `Variant`, or of what `stats` finds) and one `Column`.
"""

import math
from collections.abc import Callable, Sequence

from mnist_seq.report import wording
from mnist_seq.report.column import Column, Get, Shown, Value
from mnist_seq.report.value import Choice, Compared, Report, Second, Variant
from mnist_seq.stats import Comparison, PairedComparison, Posterior, margin_text


def columns(report: Report) -> list[Column]:
    """All columns, in the order of report.csv."""
    return [
        *_runs(),
        *_values(report),
        *_differences(report),
        *_tests(report),
        *_verdict(),
        *_costs(report),
        *_settings(report),
    ]


def shown_columns(report: Report) -> list[Column]:
    """The columns of the verdict table, from the left; without texts that no variant has."""
    found = [
        (column.shown.place, column)
        for column in columns(report)
        if column.shown and (not column.is_text or any(map(column.get, report.variants)))
    ]
    return [column for _, column in sorted(found, key=lambda entry: entry[0])]


def chosen(report: Report, names: Sequence[str]) -> list[Column]:
    """The columns of the table with these names, in this order; without those that it lacks."""
    found = {column.name: column for column in shown_columns(report)}
    return [found[name] for name in names if name in found]


def _runs() -> list[Column]:
    n = Shown(50, "n", "finished runs; what became of others", wording.n_text)
    name = Shown(10, "variant", "", lambda v: v.label, order=lambda v: v.key)
    return [
        Column("variant", lambda v: v.name, name, is_text=True),
        Column("baseline", lambda v: v.baseline_name),
        Column("n", lambda v: v.n, n),
        Column("planned", lambda v: v.planned),
        Column("failed", lambda v: v.failed),
        Column("diverged", lambda v: v.diverged),
        Column("interrupted", lambda v: v.interrupted),
        Column("unreadable", lambda v: v.unreadable),
        Column("not_learning", lambda v: v.not_learning),
        Column("p_diverged", lambda v: v.p_diverged),
    ]


def _values(report: Report) -> list[Column]:
    d, level = report.metric.decimals, wording.percent(report.level)

    def number(get: Callable[[Variant], float]) -> Callable[[Variant], str]:
        return lambda v: wording.number(get(v), d)

    mean = Shown(60, report.metric.title, "mean over seeds", number(lambda v: v.mean))
    sd = Shown(80, "sd", "standard deviation over seeds", number(lambda v: v.sd))
    interval = Shown(70, f"{level} interval", "Student-t interval of the mean over seeds",
                     lambda v: wording.span(v.low, v.high, d))  # fmt: skip
    return [
        Column("mean", lambda v: v.mean, mean),
        Column("sd", lambda v: v.sd, sd),
        Column("interval", lambda v: v.low, interval, is_in_files=False),
        Column("low", lambda v: v.low),
        Column("high", lambda v: v.high),
        Column("median", lambda v: v.median),
        Column("iqm", lambda v: v.iqm),
    ]


def _of(get: Callable[[Compared], Value]) -> Get:
    """A value of a variant's comparison with its baseline; None where there is no comparison."""
    return lambda v: None if v.compared is None else get(v.compared)


def _compared(get: Callable[[Comparison], Value]) -> Get:
    """The same for a value of the `stats` comparison."""
    return _of(lambda found: get(found.comparison))


def _said(get: Callable[[Compared], str]) -> Callable[[Variant], str]:
    """A text of a variant's comparison; a dash where there is none."""
    return lambda v: wording.NONE if v.compared is None else get(v.compared)


def _differences(report: Report) -> list[Column]:
    d, level = report.metric.decimals, wording.percent(report.level)
    of_points = f", {report.metric.points}" if report.metric.points else ""
    difference = Shown(90, f"difference{of_points}", "mean difference to the baseline",
                       lambda v: wording.difference_cell(v, d))  # fmt: skip
    interval = Shown(
        100, f"{level} interval", "interval of the difference",
        _said(lambda x: wording.span(x.comparison.interval.low, x.comparison.interval.high, d)),
    )  # fmt: skip
    low = _compared(lambda c: c.interval.low)
    return [
        Column("difference", _compared(lambda c: c.difference), difference),
        Column("difference_interval", low, interval, is_in_files=False),
        Column("difference_low", low),
        Column("difference_high", _compared(lambda c: c.interval.high)),
    ]


def _tests(report: Report) -> list[Column]:
    d, power = report.metric.decimals, wording.percent(report.rule.power)
    of_points = f", {report.metric.points}" if report.metric.points else ""
    kinds = {v.compared.comparison.effect_name for v in report.variants if v.compared}
    adjusted = {"holm": "p (Holm)", "bh": "p (BH)", "none": "p"}[report.rule.correction]
    p = Shown(110, adjusted, "of the declared test, over all comparisons of this table",
              _said(lambda x: wording.p_value(x.verdict.p_adjusted)))  # fmt: skip
    effect = Shown(120, "/".join(sorted(kinds)) or "d_z",
                   "difference in units of the spread over seeds",
                   _said(lambda x: wording.number(x.comparison.effect_size, 2)))  # fmt: skip
    better = Shown(130, "P(better)", "share of seeds with the variant better, ties one half; "
                   f"Clopper-Pearson {wording.percent(report.level)} interval where seeds pair",
                   _said(lambda x: wording.p_better(x.comparison)))  # fmt: skip
    margin = report.rule.margin
    beside = Shown(135, "P(better/equal/worse)", "probability that the true difference is "
                   f"beyond the margin of {margin_text(report.rule)}, within it, or beyond it to "
                   "the other side: t posterior under a flat prior, not corrected",
                   _said(lambda x: wording.posterior(x.posterior)))  # fmt: skip
    detectable = Shown(140, f"detectable{of_points}", "smallest true difference that this n shows "
                       f"with {power} power{_corrected(report)}",
                       _said(lambda x: wording.number(x.detectable, d)))  # fmt: skip
    return [
        Column("p", _of(lambda x: x.verdict.p)),
        Column("p_permutation", _of(_p_permutation)),
        Column("permutation", _compared(lambda c: c.permutation)),
        Column("p_wilcoxon", _of(lambda x: x.p_wilcoxon)),
        Column("p_adjusted", _of(lambda x: x.verdict.p_adjusted), p),
        Column("p_floor", _compared(lambda c: c.permutation_floor)),
        Column("effect_size", _compared(lambda c: c.effect_size), effect),
        Column("effect_name", _compared(lambda c: c.effect_name)),
        Column("p_better", _compared(lambda c: c.p_better), better),
        Column("p_better_low", _paired(lambda c: c.p_better_interval.low)),
        Column("p_better_high", _paired(lambda c: c.p_better_interval.high)),
        Column("probability_better", _posterior(lambda p: p.better), beside if margin else None),
        Column("probability_equal", _posterior(lambda p: p.equal)),
        Column("probability_worse", _posterior(lambda p: p.worse)),
        Column("detectable", _compared(lambda c: c.detectable)),
        Column("detectable_corrected", _of(lambda x: x.detectable), detectable),
        Column("looks", _of(lambda x: x.kind)),
        Column("decided_at", _of(lambda x: x.verdict.decided_at or None)),
        Column("needed_seeds", _of(lambda x: x.verdict.needed_seeds)),
        Column("p_equivalence", _of(lambda x: e.p if (e := x.verdict.equivalence) else None)),
        Column("equivalence_low",
               _of(lambda x: e.interval.low if (e := x.verdict.equivalence) else None)),
        Column("equivalence_high",
               _of(lambda x: e.interval.high if (e := x.verdict.equivalence) else None)),
        Column("correlation", _paired(lambda c: c.correlation)),
        Column("pairs", _compared(lambda c: c.n)),
        Column("mean_of_pairs", _paired(lambda c: c.mean_a)),
        Column("baseline_mean_of_pairs", _paired(lambda c: c.mean_b)),
        Column("pairing", _of(lambda x: x.pairing)),
    ]  # fmt: skip


def _posterior(get: Callable[[Posterior], float]) -> Get:
    """A probability against the margin; None where no margin was declared."""
    return _of(lambda x: get(x.posterior) if x.posterior else None)


def _corrected(report: Report) -> str:
    """At which level a difference is detectable, where p is corrected."""
    num = report.num_comparisons
    if report.rule.correction == "none" or num < 2:
        return ""
    return f" at the strictest level of the correction, {report.rule.alpha:g} / {num}"


def _p_permutation(found: Compared) -> float | None:
    """None where p waits for the rest of the sweep."""
    return None if found.verdict.word == "so far" else found.comparison.p_permutation


def _paired(get: Callable[[PairedComparison], Value]) -> Get:
    """A value of a comparison that is paired by seed; None where it is not."""
    return _compared(lambda c: get(c) if isinstance(c, PairedComparison) else None)


def _verdict() -> list[Column]:
    def second(get: Callable[[Second], Value]) -> Get:
        return _of(lambda found: get(found.second) if found.second else None)

    shown = Shown(20, "verdict", "by the declared rule", wording.verdict_cell)
    return [
        Column("verdict", lambda v: v.word, shown, is_text=True),
        Column("verdict_text", lambda v: v.verdict),
        Column("verdict_trained", second(lambda s: s.first)),
        Column("verdict_counted", second(lambda s: s.word)),
        Column("difference_counted", second(lambda s: s.difference)),
        Column("p_counted", second(lambda s: s.p_adjusted)),
    ]


def _costs(report: Report) -> list[Column]:
    params = Shown(150, "parameters", "trained numbers of the model",
                   lambda v: wording.count(v.num_params))  # fmt: skip
    state = Shown(152, "state", "numbers that the model carries from one time step to the next",
                  lambda v: wording.count(v.state_size))  # fmt: skip
    products = Shown(154, "multiply-adds", "of the model at each time step of one example",
                     lambda v: wording.count(v.multiply_adds))  # fmt: skip
    seconds = Shown(160, "seconds", "of training, mean over seeds",
                    lambda v: wording.number(v.seconds, 1))  # fmt: skip
    step = Shown(160, "ms a step", "training time over updates, of each variant by itself: what "
                 "trained beside its runs differs, or is unknown", _step_cell)  # fmt: skip
    return [
        Column("num_params", lambda v: v.num_params, params),
        Column(
            "state_size", lambda v: v.state_size, state if _differ(report, "state_size") else None
        ),
        Column(
            "multiply_adds",
            lambda v: v.multiply_adds,
            products if _differ(report, "multiply_adds") else None,
        ),
        Column("seconds", lambda v: v.seconds, None if report.seconds_differ else seconds),
        Column("seconds_sd", lambda v: v.seconds_sd),
        Column("updates", lambda v: v.updates),
        Column("step_seconds", lambda v: v.step_seconds, step if report.seconds_differ else None),
        Column("beside", lambda v: v.beside),
    ]


def _step_cell(variant: Variant) -> str:
    """Milliseconds a step, and what trained beside: "3.2 (2 at once)"."""
    text = wording.small(1000 * variant.step_seconds)
    return text if text == wording.NONE else f"{text} ({variant.beside})"


def _differ(report: Report, name: str) -> bool:
    """Whether variants differ in a number, so that a table has a column of it."""
    return len({x for v in report.variants if not math.isnan(x := getattr(v, name))}) > 1


def _settings(report: Report) -> list[Column]:
    """The columns of a variant's settings, and of how the comparison was made."""

    def choice(get: Callable[[Choice], Value]) -> Get:
        return lambda v: None if v.choice is None else get(v.choice)

    changes = Shown(30, "changes", "what the arm overrides of its baseline")
    chosen = Shown(40, "chosen on valid", "the values that did best on validation")
    selector, metric, rule = report.selector, report.metric, report.rule
    found = [
        Column("changes", lambda v: v.change, changes, is_text=True),
        Column("chosen", choice(lambda c: c.text), chosen, is_text=True),
        Column("num_tried", choice(lambda c: c.num_tried)),
        Column("chosen_by", lambda v: selector.name if selector else None),
        Column("chosen_value", choice(lambda c: c.value)),
        Column("chosen_seeds", choice(lambda c: c.n)),
        Column("chosen_remarks", choice(lambda c: "; ".join(c.remarks))),
        Column("metric", lambda v: metric.name),
        Column("unit", lambda v: metric.unit),
        Column("level", lambda v: report.level),
        Column("test", lambda v: rule.test),
        Column("correction", lambda v: rule.correction),
    ]
    for place, reached in enumerate(report.variants[0].reached if report.variants else ()):
        name = f"{100 * reached.threshold:g}_percent"
        found.append(Column(f"seconds_to_{name}", lambda v, i=place: v.reached[i].median))  # type: ignore[misc]
        found.append(Column(f"reached_{name}", lambda v, i=place: v.reached[i].text))  # type: ignore[misc]
    return found + [
        Column(key, lambda v, key=key: v.settings.get(key))  # type: ignore[misc]
        for key in report.factor_keys
    ]
