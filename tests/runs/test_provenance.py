"""Which code a run's numbers come from."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

ASK = (
    "from mnist_seq.runs.provenance import code_hash; "
    "print(code_hash('lstm'), code_hash('gru'), code_hash('irnn'), code_hash())"
)


def test_a_cell_is_stale_by_its_own_code_and_by_what_all_share(tmp_path: Path) -> None:
    """Adding a cell makes no older run stale; a cell that builds on another one follows it."""
    package = tmp_path / "mnist_seq"
    for path in (ROOT / "mnist_seq").rglob("*.py"):
        copy = package / path.relative_to(ROOT / "mnist_seq")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())

    def hashes() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", ASK], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    def changed(name: str) -> list[bool]:
        before = hashes()
        with open(package / name, "a") as file:
            file.write("# changed\n")
        return [a != b for a, b in zip(before, hashes(), strict=True)]

    assert changed("models/cells/leaky.py") == [False, False, False, False]
    assert changed("models/cells/gru.py") == [False, True, False, False]
    assert changed("models/cells/rnn.py") == [False, False, True, False]  # irnn imports it
    assert changed("models/recurrence.py") == [True, True, True, True]
    assert changed("report/value.py") == [False, False, False, False]
