"""report.csv: one row a variant, numbers in full, in the unit of the metric."""

import csv
import io
import math

from mnist_seq.report.columns import Value, columns
from mnist_seq.report.value import Report


def render(report: Report) -> str:
    """The table as CSV text; a number that does not exist is an empty cell."""
    shown = [column for column in columns(report) if column.is_in_files]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(column.name for column in shown)
    writer.writerows([_written(column.get(v)) for column in shown] for v in report.variants)
    return out.getvalue()


def _written(value: Value) -> str:
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
