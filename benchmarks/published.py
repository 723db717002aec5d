"""Stores what a sweep measured as a result of ours, and writes the table of docs/tasks.md anew.

python benchmarks/published.py store parity.lstm outputs/sweeps/parity   one row, or all of `parity`
python benchmarks/published.py table
"""

import sys
from pathlib import Path

from mnist_seq.config.errors import ConfigError, refuse
from mnist_seq.published import stored
from mnist_seq.published.rows import chosen, rows

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"


def store(name: str, folder: Path) -> None:
    """Write the results of a row, or of all rows of an experiment that the folder has runs of."""
    for row in chosen([name], rows()):
        try:
            path = stored.write(stored.from_folder(folder, row), RESULTS)
        except ConfigError as error:
            if name == row.id:
                raise
            print(error)
            continue
        print(path.relative_to(ROOT))


def main(words: list[str]) -> None:
    """Read the command line."""
    try:
        if len(words) == 3 and words[0] == "store":
            store(words[1], Path(words[2]))
        else:
            refuse(str(__doc__).partition("\n\n")[2].rstrip())
    except (ConfigError, ValueError) as error:
        refuse(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
