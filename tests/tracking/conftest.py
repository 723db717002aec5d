"""A player of runs, and a server for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tracking.player import Player
from tests.wandb_server import Server, serving


@pytest.fixture
def player(tmp_path: Path) -> Player:
    (tmp_path / "home").mkdir()
    return Player(tmp_path / "sweep", tmp_path / "home")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server
