"""A cell of one's own is one YAML and one small file: done here as the README says, in a copy."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm
from tests.conftest import ROOT, SMALL, clean_env

YAML = """\
# A simple recurrent network whose units change slowly.
defaults:
  - /base/model@_here_
  - _self_

name: leaky
leak: 0.5  # share of the state that is replaced at each time step
"""

CODE = '''\
"""Leaky integrator: a simple recurrent network whose units change slowly.

Source: Jaeger et al. 2007, Neural Networks 20(3).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_seq.config.schema import Model
from mnist_seq.models.recurrence import Cell, Recurrence, Shape, State


class Leaky(Cell):
    """h = (1 - leak) * h' + leak * tanh(W x + U h' + b)."""

    def __init__(self, input_size: int, hidden: int, leak: float) -> None:
        super().__init__(input_size, hidden, blocks_x=1, blocks_h=1)
        self.leak = leak

    def step(self, x: Tensor, state: State, *noise: Tensor) -> State:
        """The next h; x holds W x + b, made for all time steps at once."""
        (h,) = state
        return (torch.lerp(h, torch.tanh(x + F.linear(h, self.weight_hh)), self.leak),)


def build(shape: Shape, model: Model) -> nn.Module:
    """The recurrence of `Leaky`."""
    leak = float(model.options()["leak"])
    return Recurrence(lambda size, hidden: Leaky(size, hidden, leak), shape, model)
'''


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the two files added, and nothing edited."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("mnist_seq", "hydra_plugins", "conf", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "outputs")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "conf" / "model" / "leaky.yaml").write_text(YAML)
    (folder / "mnist_seq" / "models" / "cells" / "leaky.py").write_text(CODE)
    return folder


def run(copy: Path, *words: str, code: int = 0) -> str:
    start = subprocess.run if words[0] == "pytest" else warm.run  # which rewrites what it imports
    done = start(
        [sys.executable, "-m", *words],
        cwd=copy,
        env={**clean_env(), "PYTHONPATH": str(copy), "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_the_file_is_short() -> None:
    """Under 40 lines, as promised."""
    assert len(CODE.splitlines()) < 40


def test_the_readme_shows_this_cell() -> None:
    """What is promised there is what is tried here."""
    readme = (ROOT / "README.md").read_text()
    assert CODE in readme
    assert YAML in readme


def test_it_runs_sweeps_and_is_compared(copy: Path) -> None:
    """Chosen by its name, tuned by its own key, matched in size, and judged against the LSTM."""
    small = [*SMALL, "model.hidden=8", "data.limit=400"]
    assert "accuracy" in run(copy, "mnist_seq.train", "model=leaky", "model.leak=0.3", *small)
    sweep = ["model=leaky", "model.leak=0.3,0.6", "seed=0,1", "sweep.name=leaks"]
    out = run(copy, "mnist_seq.train", "-m", *sweep, *small)
    assert "added 2 baseline runs" in out
    assert "6 of 6 runs done" in out
    report = run(copy, "mnist_seq.compare", "sweep=outputs/sweeps/leaks", "formats=[csv]")
    assert re.search(r"leaky.*0\.3", report)
    matched = ["model=leaky", "model.match=lstm-64", "sweep.dry_run=true", *SMALL[2:]]
    plan = run(copy, "mnist_seq.train", "-m", *matched)
    assert len(re.findall(r"24,[5-9]\d\d", plan)) == 2  # the LSTM's 24,714, and within 1 % of it


def test_its_contracts_are_checked_by_themselves(copy: Path) -> None:
    """gradcheck, causality, independence of the batch, vmap: the tests find the YAML."""
    words = ["-q", "-p", "no:cacheprovider", "-n", "0", "tests/contracts/test_cells.py"]
    out = run(copy, "pytest", *words, "-k", "leaky")
    assert int(re.search(r"(\d+) passed", out)[1]) >= 10  # type: ignore[index]


def test_one_that_branches_on_values_is_refused_in_a_stack_by_name(copy: Path) -> None:
    """What `vmap` cannot take trains in the pool where the user says so, and nowhere else."""
    (copy / "conf" / "model" / "jumpy.yaml").write_text(YAML.replace("leaky", "jumpy"))
    code = CODE.replace(
        "(h,) = state\n", "(h,) = state\n        h = h if h.norm() < 9 else h / 2\n"
    )
    assert code != CODE
    (copy / "mnist_seq" / "models" / "cells" / "jumpy.py").write_text(code)
    words = ["mnist_seq.train", "-m", "model=jumpy", "seed=0,1", "sweep.baseline=none", *SMALL,
             "sweep.name=jumps", "hydra/launcher=stack", "hydra.launcher.workers=1"]  # fmt: skip
    out = run(copy, *words, code=1)
    assert "1 stack of 2 runs" in out
    assert "model=jumpy cannot be part of a stack" in out
    assert "sweep.unstackable=pool" in out
    out = run(copy, *words, "sweep.unstackable=pool")
    assert "go on alone" in out
    assert "2 of 2 runs done" in out


def test_a_mistyped_key_is_refused(copy: Path) -> None:
    """Its keys are typed by its YAML."""
    with pytest.raises(AssertionError, match=r"no code reads model\.leek"):
        run(copy, "mnist_seq.train", "model=leaky", "+model.leek=1", *SMALL)
