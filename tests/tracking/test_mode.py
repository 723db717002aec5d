"""Online or offline, as far as no server is needed to say."""

import subprocess
import sys
from typing import Any

import pytest

from mnist_seq.tracking import mode
from mnist_seq.tracking.mode import Choice, choose_mode
from mnist_seq.tracking.source import Tracker


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has decided nothing yet."""
    monkeypatch.setattr(mode, "_remembered", None)
    monkeypatch.setattr(mode, "_online_failed", False)
    monkeypatch.delenv("WANDB_MODE", raising=False)


def tracker(mode: Any) -> Tracker:
    return Tracker.read({"name": "wandb", "mode": mode, "project": "p"})


@pytest.mark.parametrize("given", ["online", "offline", "disabled"])
def test_a_given_mode_is_taken_and_said(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config wins over the environment."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    choice = choose_mode(tracker(given))
    assert choice.mode == given
    assert choice.notice.startswith(f"W&B: {given}")
    assert "\n" not in choice.notice


@pytest.mark.parametrize(
    ("given", "expected"),
    [("online", "online"), ("offline", "offline"), ("dryrun", "offline"), ("disabled", "disabled")],
)
def test_auto_follows_the_environment(
    given: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cluster scripts set WANDB_MODE; nothing is probed then."""
    monkeypatch.setenv("WANDB_MODE", given)
    choice = choose_mode(tracker("auto"))
    assert choice.mode == expected
    assert f"WANDB_MODE={given}" in choice.notice


def test_a_choice_is_made_once_and_holds_for_auto_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was made for auto; a run that names its mode gets that mode."""
    made = Choice("offline", "W&B: offline")
    monkeypatch.setattr(mode, "_probe", lambda: made)
    assert mode.settle(tracker("auto")) == (made, True)
    assert mode.settle(tracker("auto")) == (made, False)
    assert mode.settle(tracker("online"))[0].mode == "online"


def test_after_a_failure_no_run_waits_for_the_server_again() -> None:
    """Else each run of a sweep would pay the time limit."""
    mode.remember_failure()
    assert mode.settle(tracker("auto"))[0].mode == "offline"
    assert mode.settle(tracker("online"))[0].mode == "offline"


def test_importing_the_room_does_not_import_wandb() -> None:
    """It takes 0.5 s, and --help goes this way."""
    code = "import sys, mnist_seq.tracking; sys.exit('wandb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
