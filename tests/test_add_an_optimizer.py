"""An optimizer and a schedule of one's own: one YAML and one file each, tried in a copy."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm
from tests.conftest import ROOT, SMALL, clean_env

SIGNUM_YAML = """\
# Each weight steps by the sign of its momentum.
name: signum
lr: 0.001
momentum: 0.9
weight_decay: 0.0
"""

SIGNUM = '''\
"""Signum: each weight steps by the sign of its momentum.

Source: Bernstein et al. 2018, arXiv:1802.04434, algorithm 2.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class Signum(torch.optim.Optimizer):
    """Sign of a momentum, with decoupled weight decay."""

    def __init__(
        self, params: Iterable[Any], lr: float | Tensor, momentum: float, weight_decay: float
    ) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be from 0 to below 1: {momentum}")
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, {**defaults, "decoupled_weight_decay": True})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all weights once."""
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(group["lr"] * state["momentum"].sign())
'''

ROOT_YAML = """\
# Falls with the root of the epoch.
name: inverse_root
warmup: 0     # steps of linear warm-up
epochs: 0.25  # until the learning rate has fallen to 0.71
"""

ROOT_CODE = '''\
"""Inverse root: falls with the square root of the time since the warm-up.

Source: Vaswani et al. 2017, arXiv:1706.03762, section 5.3.
"""

from mnist_seq.training.schedules import Position


def factor(at: Position, *, epochs: float) -> float:
    """1 at first, and 1 / sqrt(2) after some epochs."""
    if epochs <= 0:
        raise ValueError(f"epochs must be more than 0: {epochs}")
    return float((1 + at.step / at.steps_per_epoch / epochs) ** -0.5)
'''

# torch has it: the YAML is enough
ADAMAX_YAML = """\
name: adamax
lr: 0.002
betas: [0.9, 0.999]
eps: 1.0e-8
weight_decay: 0.0
"""

NEW = ["optimizer=signum", "schedule=inverse_root"]
WORDS = [*SMALL, "model.hidden=8", "data.limit=400"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with five files added, and nothing edited."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("mnist_seq", "hydra_plugins", "conf", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "outputs")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "conf/optimizer/signum.yaml").write_text(SIGNUM_YAML)
    (folder / "mnist_seq/training/optimizers/signum.py").write_text(SIGNUM)
    (folder / "conf/optimizer/adamax.yaml").write_text(ADAMAX_YAML)
    (folder / "conf/schedule/inverse_root.yaml").write_text(ROOT_YAML)
    (folder / "mnist_seq/training/schedules/inverse_root.py").write_text(ROOT_CODE)
    return folder


def run(copy: Path, *words: str, code: int = 0) -> str:
    # pytest wants to import the packages itself
    start = subprocess if words[0] == "pytest" else warm
    done = start.run(
        [sys.executable, "-m", *words],
        cwd=copy,
        env={**clean_env(), "PYTHONPATH": str(copy), "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return str(done.stdout + done.stderr)


def test_they_train_alone(copy: Path) -> None:
    """And an optimizer of torch by its YAML."""
    assert "accuracy" in run(copy, "mnist_seq.train", *NEW, *WORDS)
    assert "accuracy" in run(copy, "mnist_seq.train", "optimizer=adamax", *WORDS)


def test_they_sweep_in_a_pool_and_are_compared(copy: Path) -> None:
    words = ["optimizer=signum,adam", "schedule=inverse_root", "seed=0,1", "sweep.name=pooled"]
    out = run(copy, "mnist_seq.train", "-m", *words, *WORDS)
    assert "4 of 4 runs done" in out
    report = run(copy, "mnist_seq.compare", "sweep=outputs/sweeps/pooled", "formats=[csv]")
    assert "signum" in report


def test_they_train_as_a_stack(copy: Path) -> None:
    """Nobody has said that Signum can be stacked: it is found out."""
    words = [*NEW, "seed=0,1", "sweep.name=stacked", "sweep.baseline=none", *WORDS,
             "hydra/launcher=stack", "hydra.launcher.workers=1"]  # fmt: skip
    out = run(copy, "mnist_seq.train", "-m", *words)
    assert "1 stack of 2 runs" in out
    assert "2 of 2 runs done" in out


@pytest.mark.slow
def test_their_contracts_are_checked_by_themselves(copy: Path) -> None:
    """The tests find the YAMLs."""
    files = ["tests/contracts/test_optimizers.py", "tests/contracts/test_schedules.py"]
    words = ["-q", "-p", "no:cacheprovider", "-n", "0", *files, "-k", "signum or inverse_root"]
    out = run(copy, "pytest", *words)
    assert int(re.search(r"(\d+) passed", out)[1]) >= 15  # type: ignore[index]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("optimizer=signum optimizer.momentum=2.0", "refuses its keys: momentum must be from 0"),
        ("optimizer=signum optimizer.momentum=high", "optimizer.momentum must be a number"),
        ("-m optimizer=adamax optimizer.betas=[2,3]", "optimizer=adamax refuses its keys: Invalid"),
        ("-m schedule=inverse_root schedule.epochs=0.0", "refuses its keys: epochs must be more"),
    ],
)
def test_wrong_values_are_refused_before_there_is_a_run(
    copy: Path, tmp_path: Path, words: str, message: str
) -> None:
    """In one line, alone and in a sweep."""
    folders = [f"hydra.{kind}.dir={tmp_path}/{kind}" for kind in ("run", "sweep")]
    out = run(copy, "mnist_seq.train", *words.split(), *folders, *WORDS, code=1)
    assert message in " ".join(out.split())
    assert "Traceback" not in out
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written <= {"train.log", ".lock"}
