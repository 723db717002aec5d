"""report.csv: one row a variant, numbers in full, in the unit of the metric."""

import csv
import io
import math

from mnist_seq.report.value import Choice, Difference, Report, Variant

Cell = str | int | float | None


def render(report: Report) -> str:
    """The table as CSV text; a number that does not exist is an empty cell."""
    rows = [_row(report, variant) for variant in report.variants]
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _written(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def _row(report: Report, v: Variant) -> dict[str, Cell]:
    row: dict[str, Cell] = {
        "variant": v.name,
        "baseline": v.baseline_name,
        "n": v.n,
        "planned": v.planned,
        "failed": v.failed,
        "diverged": v.diverged,
        "interrupted": v.interrupted,
        "unreadable": v.unreadable,
        "not_learning": v.not_learning,
        "mean": v.mean,
        "sd": v.sd,
        "low": v.low,
        "high": v.high,
        "median": v.median,
        "iqm": v.iqm,
        **_difference(v.difference),
        "verdict": v.word,
        "verdict_text": v.verdict,
        "num_params": v.num_params,
        "seconds": v.seconds,
        "seconds_sd": v.seconds_sd,
        "changes": v.change,
        **_choice(report, v.choice),
        "metric": report.metric.name,
        "unit": report.metric.unit,
        "level": report.level,
        "test": report.rule.test,
        "correction": report.rule.correction,
    }
    for reached in v.reached:
        name = f"seconds_to_{100 * reached.threshold:g}_percent"
        row |= {name: reached.median, f"reached_{100 * reached.threshold:g}_percent": reached.text}
    return row | {key: v.settings.get(key) for key in report.factor_keys}


def _choice(report: Report, choice: Choice | None) -> dict[str, Cell]:
    return {
        "chosen": choice.text if choice else None,
        "num_tried": choice.num_tried if choice else None,
        "chosen_by": report.selector.name if report.selector else None,
        "chosen_value": choice.value if choice else None,
        "chosen_seeds": choice.n if choice else None,
        "chosen_remarks": "; ".join(choice.remarks) if choice else None,
    }


def _difference(d: Difference | None) -> dict[str, Cell]:
    names = {
        "difference": "difference",
        "difference_low": "low",
        "difference_high": "high",
        "p": "p",
        "p_permutation": "p_permutation",
        "permutation": "permutation",
        "p_wilcoxon": "p_wilcoxon",
        "p_adjusted": "p_adjusted",
        "p_floor": "p_floor",
        "effect_size": "effect_size",
        "effect_name": "effect_name",
        "p_better": "p_better",
        "detectable": "detectable",
        "needed_seeds": "needed",
        "p_equivalence": "p_equivalence",
        "equivalence_low": "equivalence_low",
        "equivalence_high": "equivalence_high",
        "correlation": "correlation",
        "pairs": "n",
        "pairing": "pairing",
    }
    return {column: None if d is None else getattr(d, name) for column, name in names.items()}


def _written(value: Cell) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    text = str(value)
    return f"'{text}" if isinstance(value, str) and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet would compute it."""
    first = text.strip()[:1]
    if first == "-":
        try:
            float(text)
        except ValueError:
            return True
        return False
    return first in ("=", "+", "@")
