"""Online or offline, as far as no server is needed to say."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.config.errors import ConfigError
from mnist_seq.tracking.wandb import mode, package
from mnist_seq.tracking.wandb.mode import Choice, choose_mode
from mnist_seq.tracking.wandb.settings import Settings
from tests.tracking.play import config


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has decided nothing yet."""
    monkeypatch.setattr(mode, "_remembered", None)
    monkeypatch.setattr(mode, "_failure", "")
    monkeypatch.delenv("WANDB_MODE", raising=False)


def tracker(mode: Any) -> Settings:
    return Settings.read({"name": "wandb", "mode": mode, "project": "p"})


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


def test_a_word_that_wandb_does_not_know_keeps_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who mistyped offline does not want runs on a server; wandb itself would not start."""
    monkeypatch.setenv("WANDB_MODE", "ofline")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    choice = choose_mode(tracker("auto"))
    assert choice.mode == "offline"
    assert "WANDB_MODE must be one of online, run, offline, dryrun, disabled: " in choice.notice
    assert "WANDB_MODE=ofline" in choice.notice


def test_wandb_disabled_mirrors_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """wandb has dropped it, but other packages, and people's scripts, have not."""
    monkeypatch.setenv("WANDB_DISABLED", "true")
    assert mode.is_disabled(tracker("auto"))
    assert not mode.is_disabled(tracker("offline"))  # the config wins
    monkeypatch.setenv("WANDB_DISABLED", "false")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert not mode.is_disabled(tracker("auto"))


@pytest.mark.parametrize(
    "place", [".netrc", "_netrc", ".config/wandb/settings", "work/wandb/settings"]
)
def test_whatever_may_hold_a_key_is_left_to_wandb_to_read(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any, the choice needs no import of wandb; with one, wandb alone knows."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_DIR", "WANDB_CONFIG_DIR",
                 "NETRC"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    assert package.lacks_credentials()
    assert "no credentials" in choose_mode(tracker("auto")).notice
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).touch()
    assert not package.lacks_credentials()


@pytest.mark.parametrize("name", ["a/b", "a:b", "a#b", ".."])
def test_a_project_that_wandb_would_refuse_is_refused_before_training(name: str) -> None:
    """Else every run of the sweep would be told of in its own warning, and be nowhere."""
    with pytest.raises(ConfigError, match=r"tracker.project must be a name without : / "):
        config([f"tracker.project='{name}'"])


def test_a_tag_that_wandb_would_refuse_is_refused_in_our_words() -> None:
    """A tag is no list."""
    with pytest.raises(ConfigError, match=r"tracker.tags.0 must be 64 characters or shorter"):
        config([f"tracker.tags=[{'t' * 65}]"])


def test_a_choice_is_made_once_and_holds_for_auto_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was made for auto; a run that names its mode gets that mode."""
    made = Choice("offline", "W&B: offline")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setattr(mode, "_probe", lambda: made)
    assert mode.current_choice(tracker("auto")) == (made, True)
    assert mode.current_choice(tracker("auto")) == (made, False)
    assert mode.current_choice(tracker("online"))[0].mode == "online"


def test_after_a_failure_no_run_waits_for_the_server_again() -> None:
    """Else each run of a sweep would pay the time limit."""
    mode.remember_failure("TimeoutError: no answer")
    assert mode.current_choice(tracker("auto"))[0].mode == "offline"
    assert mode.current_choice(tracker("online"))[0].mode == "offline"


def test_importing_the_room_does_not_import_wandb() -> None:
    """It takes 0.5 s, and --help goes this way."""
    code = "import sys, mnist_seq.tracking; sys.exit('wandb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_runs_that_draw_their_first_pictures_at_once_all_draw_them() -> None:
    """Threads of one mirror; left to itself, wandb loads Pillow twice and forgets what a PNG is."""
    code = """
import sys, tempfile, threading
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from mnist_seq.tracking.wandb import package
sys.setswitchinterval(1e-6)
wandb, all_here = package.load(), threading.Barrier(8)
def draw(digit):
    all_here.wait()
    wandb.Image(np.full((28, 28), digit, np.uint8))
with ThreadPoolExecutor(8) as pool:
    list(pool.map(draw, range(8)))
wandb.teardown()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
