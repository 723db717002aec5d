"""The verdict table as text: one place that decides which columns there are and how they read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mnist_seq.report import wording
from mnist_seq.report.value import Difference, Report, Variant


@dataclass(frozen=True)
class Column:
    """One column for people.

    Attributes:
        text: what stands in it; `order`: what it is sorted by.
        about: what it means, for a caption or a tooltip.
    """

    key: str
    header: str
    about: str
    text: Callable[[Variant], str]
    order: Callable[[Variant], float | str]

    @property
    def is_text(self) -> bool:
        """Whether it reads from the left."""
        return self.key in ("variant", "verdict", "change", "choice")


def columns(report: Report) -> list[Column]:
    """All columns of the verdict table, in their order."""
    d, unit, points = report.metric.decimals, report.metric.unit, report.metric.points
    level = wording.percent(report.level)
    behind, of_points = f", {unit}" if unit else "", f", {points}" if points else ""
    adjusted = {"holm": "p (Holm)", "bh": "p (BH)", "none": "p"}[report.rule.correction]
    kinds = {v.difference.effect_name for v in report.variants if v.difference}
    effect = "/".join(sorted(kinds)) or "d_z"

    def value(get: Callable[[Variant], float]) -> Callable[[Variant], str]:
        return lambda v: wording.number(get(v), d)

    def about(get: Callable[[Difference], str]) -> Callable[[Variant], str]:
        return lambda v: wording.NONE if v.difference is None else get(v.difference)

    def size(get: Callable[[Difference], float]) -> Callable[[Variant], float | str]:
        return lambda v: float("nan") if v.difference is None else get(v.difference)

    extra = []
    if any(v.change for v in report.variants):
        extra.append(Column("change", "changes", "what the arm overrides of its baseline",
                            lambda v: v.change or wording.NONE, lambda v: v.change))  # fmt: skip
    if any(v.choice for v in report.variants):
        extra.append(Column("choice", "chosen on valid", "the values that did best on validation",
                            lambda v: v.choice.text if v.choice else wording.NONE,
                            lambda v: v.choice.text if v.choice else ""))  # fmt: skip
    return [
        Column("variant", "variant", "the keys that were swept", lambda v: v.name, lambda v: v.key),
        Column("verdict", "verdict", "by the declared rule", lambda v: v.word, lambda v: v.word),
        *extra,
        Column("n", "n", "finished runs; what became of others", wording.n_text, lambda v: v.n),
        Column("mean", f"{report.metric.label}{behind}", "mean over seeds",
               value(lambda v: v.mean), lambda v: v.mean),
        Column("interval", f"{level} interval", "Student-t interval of the mean over seeds",
               lambda v: _range(v.low, v.high, d), lambda v: v.low),
        Column("sd", "sd", "standard deviation over seeds", value(lambda v: v.sd), lambda v: v.sd),
        Column("difference", f"difference{of_points}", "mean difference to the baseline",
               about(lambda x: wording.signed(x.difference, d)), size(lambda x: x.difference)),
        Column("difference_interval", f"{level} interval", "interval of the difference",
               about(lambda x: _range(x.low, x.high, d)), size(lambda x: x.low)),
        Column("p_adjusted", adjusted, "of the declared test, over all comparisons of this table",
               about(lambda x: wording.p_value(x.p_adjusted)), size(lambda x: x.p_adjusted)),
        Column("effect_size", effect, "difference in units of the spread over seeds",
               about(lambda x: wording.number(x.effect_size, 2)), size(lambda x: x.effect_size)),
        Column("p_better", "P(better)", "share of seeds with the variant better, ties one half",
               about(lambda x: wording.number(x.p_better, 2)), size(lambda x: x.p_better)),
        Column("detectable", f"detectable{of_points}", "smallest true difference that this n shows "
               f"with {wording.percent(report.rule.power)} power, before correction",
               about(lambda x: wording.number(x.detectable, d)), size(lambda x: x.detectable)),
        Column("num_params", "parameters", "trained numbers of the model",
               lambda v: wording.count(v.num_params), lambda v: v.num_params),
        Column("seconds", "seconds", "of training, mean over seeds",
               lambda v: wording.number(v.seconds, 1), lambda v: v.seconds),
    ]  # fmt: skip


def chosen(report: Report, keys: Sequence[str]) -> list[Column]:
    """Some of the columns, in the order asked for; those that the report lacks are left out."""
    found = {column.key: column for column in columns(report)}
    return [found[key] for key in keys if key in found]


def _range(low: float, high: float, decimals: int) -> str:
    if low != low or high != high:
        return wording.NONE
    return f"{wording.number(low, decimals)} to {wording.number(high, decimals)}"
