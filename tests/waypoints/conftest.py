"""Equal runs with three seeds, and the result that is stored of them."""

from pathlib import Path
from typing import Any

import pytest

from mnist_seq import compose, train_run
from mnist_seq.config import members
from mnist_seq.config.schema.expects import expected
from mnist_seq.published.measured import from_runs
from mnist_seq.published.rows import Row
from mnist_seq.published.stored import write
from mnist_seq.runs import files
from mnist_seq.runs.folder import RunFolder

WORDS = (
    "data=mnist_5k", "tracker=none", "data.limit=256", "data.valid=128", "model.hidden=4",
    "device.kernel=torch", "training.epochs=3",
)  # fmt: skip
FACTS = {"value": 0.5, "tolerance": 0.1, "source": "nobody", "budget": "none", "differs": "all"}


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    """Finished runs with seeds 0, 1 and 2, evaluated at 4, 8 and 12 updates."""
    folder = tmp_path_factory.mktemp("three")
    return [
        RunFolder(train_run(compose(*WORDS, f"seed={seed}"), folder / str(seed)).folder)
        for seed in range(3)
    ]


@pytest.fixture
def mine(three: list[RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stored result of those runs, in a folder of a user's own which is in use."""
    row = Row("tiny", "a", expected({"a": FACTS})["a"])
    monkeypatch.setenv(members._FOLDERS, str(tmp_path / "mine"))
    return write(from_runs(three, row), tmp_path / "mine" / "results")


def rewrite(path: Path, **changes: Any) -> None:
    """Change the curve of a stored result."""
    value = files.read_json(path)
    files.write_json(path, {**value, "curve": {**value["curve"], **changes}})
