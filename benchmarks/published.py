"""Stores what a sweep measured as a result of ours, and writes the table of docs/tasks.md anew.

python benchmarks/published.py store parity.lstm outputs/sweeps/parity   one row, or all of `parity`
python benchmarks/published.py table
"""

import sys
from pathlib import Path

from mnist_seq.config.errors import ConfigError, refuse
from mnist_seq.published import stored
from mnist_seq.published.keeping import keep
from mnist_seq.published.rows import rows
from mnist_seq.published.table import verdicts
from mnist_seq.report.render.published_files import markdown

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
PAGE = ROOT / "docs" / "tasks.md"
BEGIN, END = "<!-- written by benchmarks/published.py table -->", "<!-- end of what is written -->"


def store(name: str, folder: Path) -> None:
    """Write the results of a row, or of all rows of an experiment that the folder has runs of."""
    kept, left = keep(name, folder, RESULTS, rows())
    for text in left:
        print(text)
    for path, _ in kept:
        print(path.relative_to(ROOT))


def write_table() -> None:
    """Write the table of docs/tasks.md anew, from the experiment files and the stored results."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    table = markdown(verdicts(rows(), stored.read_all(RESULTS)))
    whole = f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"
    PAGE.write_text(whole, encoding="utf-8")


def main(words: list[str]) -> None:
    """Read the command line."""
    try:
        if len(words) == 3 and words[0] == "store":
            store(words[1], Path(words[2]))
        elif words == ["table"]:
            write_table()
        else:
            refuse(str(__doc__).partition("\n\n")[2].rstrip())
    except (ConfigError, ValueError) as error:
        refuse(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
