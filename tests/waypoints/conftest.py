"""Equal runs with three seeds, and the curve that is stored of them."""

from pathlib import Path

import pytest

from mnist_seq import compose, train_run
from mnist_seq.config import members
from mnist_seq.runs import files
from mnist_seq.runs.folder import RunFolder
from mnist_seq.waypoints.stored import stored_curve

WORDS = (
    "data=mnist_5k", "tracker=none", "data.limit=256", "data.valid=128", "model.hidden=4",
    "device.kernel=torch", "training.epochs=3",
)  # fmt: skip


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
    """The results file of those runs in a folder of a user's own, which is in use."""
    path = tmp_path / "mine" / "results" / "tiny.json"
    path.parent.mkdir(parents=True)
    files.write_json(path, {"experiment": "tiny", "curve": stored_curve(three)})
    monkeypatch.setenv(members._FOLDERS, str(tmp_path / "mine"))
    return path
