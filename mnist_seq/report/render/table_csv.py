"""report.csv: one row a variant, numbers in full, in the unit of the metric.

Of several tasks, one row a variant and task, the task first.
"""

import csv
import io
import math
from collections.abc import Iterator

from mnist_seq.report.column import Value
from mnist_seq.report.columns import columns
from mnist_seq.report.markup.escape import for_csv
from mnist_seq.report.value import Report


def render(report: Report) -> str:
    """The table as CSV text; a number that does not exist is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    rows = list(rows_of(report))
    names = dict.fromkeys(name for row in rows for name in row)
    writer.writerow(map(for_csv, names))
    writer.writerows([_written(row.get(name)) for name in names] for row in rows)
    return out.getvalue()


def rows_of(report: Report) -> Iterator[dict[str, Value]]:
    """The rows by the names of their columns, values in full."""
    shown = [column for column in columns(report) if column.is_in_files]
    for v in report.variants:
        yield {column.name: column.get(v) for column in shown}
    for task, own in report.tasks.items():
        for row in rows_of(own):
            yield {"task": task, **row}


def _written(value: Value) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return for_csv(str(value)) if isinstance(value, str) else str(value)
