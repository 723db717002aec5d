"""A plain Hydra application says what a sweep's words mean; the plan gives the same configs."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from mnist_seq.config import ConfigError
from mnist_seq.config.paths import conf_dir
from mnist_seq.config.words import words_of
from mnist_seq.sweep.plan.compose import Composer
from mnist_seq.sweep.plan.expand import expand
from tests import warm
from tests.conftest import clean_env

APP = """
import json, hydra
from omegaconf import OmegaConf

@hydra.main(version_base="1.3", config_path="conf", config_name="main")
def app(cfg):
    print("job", json.dumps(OmegaConf.to_container(cfg, resolve=True)))

app()
"""

FILES = {
    "main": "defaults: [{cell: a}, _self_, {experiment: null}]\nlr: 0.1\nseed: 0\nroot: x\n",
    "cell/a": "name: a\nhidden: 1\n",
    "cell/b": "name: b\nhidden: 2\nown: 3\n",
    "experiment/grid": "# @package _global_\nhydra: {sweeper: {params: {seed: 'range(2)', lr: 7}}}",
}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    return tmp_path


def of_hydra(app: Path, *words: str) -> list[Any]:
    done = warm.run(
        [sys.executable, "app.py", "-m", *words],
        cwd=app, env={**clean_env(), "PYTHONWARNINGS": ""}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("job ")]
    return [json.loads(line.removeprefix("job ")) for line in lines]


def of_plan(app: Path, *words: str) -> list[Any]:
    with initialize_config_dir(str(app / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        composer = Composer(loader, loader.load_configuration("main", [], RunMode.MULTIRUN))
        return [composer.values(job) for job in expand(words, composer.parser).jobs]


@pytest.mark.parametrize(
    "words",
    [
        ["++lr=0.5,0.2", "++seed=1,2", "+new=1"],
        pytest.param(["cell=glob(*)", "++cell.hidden=8", "lr=3", "++lr=4"], marks=pytest.mark.slow),
        pytest.param(["+new=1", "new=2", "cell=b,a"], marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_a_plus_means_what_it_means_in_hydra(app: Path, words: list[str]) -> None:
    assert of_plan(app, *words) == of_hydra(app, *words)


@pytest.mark.slow
def test_a_grid_of_a_yaml_means_what_it_means_in_hydra(app: Path) -> None:
    """Hydra keeps a grid in `hydra.sweeper.params`; words on the command line win over it."""
    import yaml

    text = FILES["experiment/grid"].partition("\n")[2]
    params = yaml.safe_load(text)["hydra"]["sweeper"]["params"]
    for typed in ([], ["seed=5"], ["++lr=1,2"]):
        words = ["experiment=grid", *typed]
        assert of_plan(app, *words_of(params), *words) == of_hydra(app, *words)


def test_hydras_own_node_is_read_as_in_a_job_of_hydra(app: Path) -> None:
    words = ["cell=a,b", "root='${hydra:runtime.cwd}/${hydra:runtime.choices.cell}'"]
    with contextlib.chdir(app):
        assert of_plan(app, *words) == of_hydra(app, *words)


def test_what_only_a_started_job_knows_is_refused_in_a_plan(app: Path) -> None:
    with pytest.raises(ConfigError, match=r"hydra.job.num is known then.*write the values"):
        of_plan(app, "seed='${hydra:job.num}'")


def test_a_users_own_job_over_our_configs_is_not_taken_for_ours(tmp_path: Path) -> None:
    """Our sweeper trained our runs in its place; with the words of its refusal Hydra runs it."""
    text = APP.replace('"conf"', repr(str(conf_dir()))).replace('"main"', '"train"')
    (tmp_path / "app.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "app.py", "-m", "seed=3,4"]
    done = warm.run(
        command, cwd=tmp_path, env=clean_env(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "this program has a job of its own, app; to sweep it, write " in line
    jobs = of_hydra(tmp_path, "seed=3,4", *line.partition("to sweep it, write ")[2].split())
    assert [job["seed"] for job in jobs] == [3, 4]
    assert not list(tmp_path.rglob("run.json"))
