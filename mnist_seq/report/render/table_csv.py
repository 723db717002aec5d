"""report.csv: one row a variant, numbers in full, in the unit of the metric."""

import csv
import io
import math

from mnist_seq.report.column import Value
from mnist_seq.report.columns import columns
from mnist_seq.report.markup.escape import for_csv
from mnist_seq.report.value import Report


def render(report: Report) -> str:
    """The table as CSV text; a number that does not exist is an empty cell."""
    shown = [column for column in columns(report) if column.is_in_files]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(for_csv(column.name) for column in shown)
    writer.writerows([_written(column.get(v)) for column in shown] for v in report.variants)
    return out.getvalue()


def _written(value: Value) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return for_csv(str(value)) if isinstance(value, str) else str(value)
