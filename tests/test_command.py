"""What all commands share."""

import subprocess
import sys
from pathlib import Path

import pytest

from mnist_seq.command import check_secrets
from tests import warm
from tests.conftest import clean_env

KEY = "0123456789abcdef"


@pytest.mark.parametrize(
    "word",
    ["+tracker.api_key", "++tracker.password", "tracker.API_KEY", "api_key", "+x.wandb_api_key"],
)
def test_a_secret_is_refused_by_its_key_alone(
    capsys: pytest.CaptureFixture[str], word: str
) -> None:
    """A config is printed, and written to .hydra/, run.json and W&B."""
    with pytest.raises(SystemExit):
        check_secrets(["seed=1", f"{word}={KEY}"])
    said = capsys.readouterr().err
    assert KEY not in said
    assert f"{word.lstrip('+')}=***; set it in the environment (WANDB_API_KEY)" in said
    check_secrets(["model.tokens=4", "data.secretary=1", "tracker.entity=me", "api_key"])


def test_a_secret_that_is_typed_is_written_nowhere(tmp_path: Path) -> None:
    done = warm.run(
        [sys.executable, "-m", "mnist_seq.train", "-m", "seed=0,1", f"+tracker.api_key={KEY}"],
        cwd=tmp_path,
        env=clean_env(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert KEY not in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())
