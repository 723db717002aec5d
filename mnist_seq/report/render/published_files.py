"""The table of published numbers as files: `published.md` and `published.csv`."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from mnist_seq.published.judging import RULE, Verdict
from mnist_seq.published.table import CSV, HEADER, fields, texts
from mnist_seq.report.markup.markdown_table import markdown_table
from mnist_seq.runs import files


def markdown(verdicts: Sequence[Verdict]) -> str:
    """The table as Markdown; of docs/tasks.md too."""
    return markdown_table(HEADER, map(texts, verdicts), [head == "n" for head in HEADER])


def write(verdicts: Sequence[Verdict], out: Path) -> list[Path]:
    """Write the table into a folder as Markdown and as CSV; returns the files."""
    sheet = io.StringIO()
    csv.writer(sheet, lineterminator="\n").writerows([CSV, *map(fields, verdicts)])
    written = {"published.md": f"# Published numbers\n\n{markdown(verdicts)}\n\n{RULE}\n",
               "published.csv": sheet.getvalue()}  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    for name, content in written.items():
        files.write_text(out / name, content)
    return [out / name for name in written]
