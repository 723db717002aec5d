"""What all commands share."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mnist_seq import command, train
from mnist_seq.command import check_secrets
from mnist_seq.config import ConfigError
from mnist_seq.config.hydra_errors import check_hydra_node
from mnist_seq.config.parse import parse
from mnist_seq.config.secrets import check_values
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


@pytest.mark.parametrize("word", [
    f"+tracker={{mode:offline,api_key:{KEY}}}", f"hydra.job.env_set={{WANDB_API_KEY:{KEY}}}",
    f"+hydra.job.env_set.HF_TOKEN={KEY}", f"hydra.job.env_set={{HF_TOKEN: {KEY}}}",
])  # fmt: skip
def test_a_secret_is_refused_inside_a_mapping_and_among_variables(
    capsys: pytest.CaptureFixture[str], word: str
) -> None:
    with pytest.raises(SystemExit):
        check_secrets([word])
    assert KEY not in capsys.readouterr().err
    check_secrets(["hydra.job.env_set={OMP_NUM_THREADS:1}", "data.path='a: secrets/b.npz'"])


@pytest.mark.parametrize("given", [
    {"tracker": {"api_key": KEY}}, {"tracker": {"a": {"WANDB_API_KEY": KEY}}}, {"password": 1234},
])  # fmt: skip
def test_a_secret_in_a_yaml_is_neither_shown_nor_taken(given: dict[str, object]) -> None:
    """The key was echoed as one that no code reads."""
    with pytest.raises(ConfigError, match=r"a secret stays out of configs.*=\*\*\*; ") as said:
        parse(given)
    assert KEY not in str(said.value)


def test_a_secret_among_hydras_variables_is_refused_and_a_reference_is_none() -> None:
    """Hydra's node is written to each run's folder."""
    node = {"job": {"env_set": {"HF_TOKEN": "${oc.env:X}", "OMP_NUM_THREADS": "1"}}}
    check_values(node, "hydra")
    node["job"]["env_set"]["HF_TOKEN"] = KEY
    with pytest.raises(ConfigError, match=r"hydra.job.env_set.HF_TOKEN=\*"):
        check_hydra_node(OmegaConf.create({"hydra": node}), is_sweep=False)


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


def test_the_command_has_torch_use_large_pages_unless_the_user_or_system_says_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(command.LARGE_PAGES, "0")
    monkeypatch.setattr("mnist_seq.command.run", lambda *_: None)
    setting = tmp_path / "enabled"
    asked = functools.partial(command.use_large_pages, str(setting))
    monkeypatch.setattr(command, "use_large_pages", asked)
    for text, said, is_used in (
        ("always [madvise] never", "0", "0"),
        (None, None, None),
        ("always madvise [never]", None, None),
        ("always [madvise] never", None, "1"),
    ):
        setting.unlink(missing_ok=True)
        if text:
            setting.write_text(text)
        os.environ.pop(command.LARGE_PAGES)
        os.environ.update({command.LARGE_PAGES: said} if said else {})
        train._main()
        assert os.environ.get(command.LARGE_PAGES) == is_used
        os.environ.setdefault(command.LARGE_PAGES, "")


def test_a_key_without_a_value_is_named_and_the_needed_ones_first() -> None:
    needed = {"run": "outputs/runs/<date>", "images": "<a png>"}
    keys = {"run": "a", "images": "b", "which": "best"}
    for lacks, says in (
        (["which", "images", "run"], r"^run must .* write run=outputs/runs/<date>$"),
        (["which", "images"], r"^images must be given: images=\?\?\?; write images=<a png>$"),
        (["which"], r"^which must .* write which=<value>$"),
    ):
        cfg = OmegaConf.create(keys | dict.fromkeys(lacks, "???"))
        with pytest.raises(ConfigError, match=says):
            command.values_of("predict", cfg, needed)
