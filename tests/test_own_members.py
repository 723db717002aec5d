"""Cells and data sets of a user's own, in a folder of `--config-dir`, without a clone."""

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_seq.config import ConfigError, members
from mnist_seq.config.paths import options
from mnist_seq.config.schema import schema_of
from mnist_seq.notebook import compose, load_run, train_run, use_config_dir
from mnist_seq.runs import code_identity
from mnist_seq.runs.code_identity import code_hash, modules_of
from mnist_seq.tasks import task_class
from tests import warm
from tests.conftest import clean_env
from tests.test_contributing import EXAMPLES

FOLDERS = {"conf/data": "data", "conf/model": "model", "mnist_seq/tasks": "data",
           "mnist_seq/models/cells": "model"}  # fmt: skip
WORDS = ["data=pulses", "model=leaky", "model.hidden=4", "data.limit=64", "tracker=none"]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cell and the data set of CONTRIBUTING.md, outside of the package; used by nothing yet."""
    monkeypatch.setenv("MNIST_SEQ_FOLDERS", "")
    folder = tmp_path / "mine"
    for example in ("A data set", "A cell"):
        for name, text in EXAMPLES[example].files.items():
            path = folder / FOLDERS[str(Path(name).parent)] / Path(name).name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    forget()
    yield folder
    forget()


def forget() -> None:
    """As a new process: own members differ from test to test under the same names."""
    for cached in (schema_of, task_class, code_identity._text, code_identity._hash_of):
        cached.cache_clear()
    for name in ("mnist_seq.tasks.pulses", "mnist_seq.models.cells.leaky"):
        sys.modules.pop(name, None)


def test_own_members_are_as_good_as_ours(mine: Path, tmp_path: Path) -> None:
    """Keys with types, training, a run that is loaded again, and a code hash that reads them."""
    assert "pulses" not in options("data")
    with pytest.raises(ConfigError, match="data must be one of"):
        compose(*WORDS)
    use_config_dir(mine)
    assert "pulses" in options("data")
    config = compose(*WORDS, "model.leak=0.25", "device.kernel=torch")
    with pytest.raises(ConfigError, match=r"model\.leak must be a number"):
        compose(*WORDS, "model.leak=x")
    assert {"mnist_seq.tasks.pulses", "mnist_seq.models.cells.leaky"} <= set(modules_of(config))
    run = train_run(config, tmp_path / "run")
    assert run.state == "finished"
    loaded = load_run(tmp_path / "run")
    assert loaded.config == config
    assert sum(weight.numel() for weight in loaded.model().parameters()) == 51
    before = code_hash(config)
    cell = mine / "model" / "leaky.py"
    for edit, is_same in (("tanh(x", "tanh( x"), True), (("tanh(x", "tanh(2 * x"), False):
        cell.write_text(cell.read_text().replace(*edit, 1))
        cell.write_text(cell.read_text().replace("tanh( x", "tanh(x"))
        forget()
        assert (code_hash(config) == before) == is_same


def test_a_sweep_trains_them_in_processes_of_its_own(mine: Path, tmp_path: Path) -> None:
    """The workers were forked before the command knew its folders."""
    env = {**clean_env(), "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
           "PATH": os.environ["PATH"]}  # fmt: skip
    done = warm.run(
        [sys.executable, "-m", "mnist_seq.train", "-m", "--config-dir", str(mine), *WORDS,
         "seed=0,1", "sweep.baseline=none", "sweep.name=own"],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 runs done" in done.stdout


def test_what_lies_beside_a_member_is_imported_and_counts(mine: Path) -> None:
    """By a relative import."""
    task = mine / "data" / "pulses.py"
    task.write_text(task.read_text().replace("import numpy as np", "from .seeds import np", 1))
    (mine / "data" / "seeds.py").write_text("import numpy as np\n")
    use_config_dir(mine)
    config = compose(*WORDS)
    assert "mnist_seq.tasks.seeds" in modules_of(config)
    sys.modules.pop("mnist_seq.tasks.seeds", None)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "import notthere\n",
            "be imported: ModuleNotFoundError: No module named 'notthere'",
        ),
        ("class X(:\n", "cannot be imported: SyntaxError: "),
        ("import sys\nsys.exit(3)\n", "cannot be imported: SystemExit: 3"),
    ],
)
def test_code_that_cannot_be_imported_is_one_line(mine: Path, code: str, says: str) -> None:
    path = mine / "data" / "pulses.py"
    path.write_text(code)
    use_config_dir(mine)
    with pytest.raises(ConfigError) as caught:
        compose(*WORDS)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mnist", "spec", "streams"])
def test_the_name_of_one_of_ours_is_refused(mine: Path, name: str) -> None:
    """Ours would be the one that is trained."""
    (mine / "data" / f"{name}.py").write_text("")
    with pytest.raises(ConfigError, match=f"{name}.py is named as one of mnist_seq.tasks"):
        use_config_dir(mine)
    with pytest.raises(ConfigError, match="a folder of own members must exist"):
        use_config_dir(mine / "nowhere")


def test_a_yaml_without_code_is_no_member(mine: Path) -> None:
    """It changes one of ours, whose name it keeps."""
    (mine / "data" / "pulses.py").unlink()
    use_config_dir(mine)
    assert "pulses" not in options("data")
    assert members.code_file("mnist_seq.tasks.pulses") is None
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("mnist_seq.tasks.pulses")
