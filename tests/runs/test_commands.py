"""Commands that are printed can be typed as they stand, and mean what was typed before."""

import shlex
from pathlib import Path

import pytest

from mnist_seq.runs import commands


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> "pytest.MonkeyPatch":
    words = ["-m", "--config-dir", "my conf", "-cn=own", "hydra/launcher=joblib", "seed=0,1"]
    monkeypatch.setattr("sys.argv", ["/x/mnist_seq/train.py", *words])
    return monkeypatch


def test_what_was_typed_goes_on_in_the_same_folder(typed: pytest.MonkeyPatch) -> None:
    """A name that came from the clock must stand in the command; flags and launcher stay."""
    command = commands.to_continue_sweep("2026-01-01_10-00-00")
    assert shlex.split(command) == [
        "python", "-m", "mnist_seq.train", "-m", "--config-dir", "my conf", "-cn=own",
        "hydra/launcher=joblib", "seed=0,1", "sweep.name=2026-01-01_10-00-00",
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["sweep.name=s", "hydra.sweep.dir=there"])
def test_a_folder_that_was_typed_is_not_named_again(
    monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setattr("sys.argv", ["train.py", "-m", "seed=0,1", word])
    assert commands.to_continue_sweep("t").endswith(f"-m seed=0,1 {word}")


def test_a_name_like_a_number_is_quoted_for_hydra_and_for_the_shell(
    typed: pytest.MonkeyPatch,
) -> None:
    """Hydra would read a number, and a sweep's name is text."""
    assert shlex.split(commands.to_continue_sweep("2026"))[-1] == "sweep.name='2026'"


def test_the_console_script_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/mnist-seq-train", "seed=1"])
    assert commands.to_continue("hydra.run.dir", "x") == ("mnist-seq-train seed=1 hydra.run.dir=x")


def test_a_winner_is_trained_over_the_users_own_configs(typed: pytest.MonkeyPatch) -> None:
    """Without --config-dir its group options would not be found."""
    assert shlex.split(commands.to_train_alike(["model=mine", "optimizer.lr=0.1"])) == [
        "python", "-m", "mnist_seq.train", "--config-dir", "my conf", "-cn=own", "model=mine",
        "optimizer.lr=0.1",
    ]  # fmt: skip


def test_folders_with_spaces_are_one_word() -> None:
    folder = Path("/a b/c")
    assert shlex.split(commands.to_compare(folder))[-1] == "sweep=/a b/c"
    assert shlex.split(commands.to_sync(folder))[-1] == "sweep=/a b/c"
    assert commands.to_train(["seed=0,1"], is_sweep=True) == "python -m mnist_seq.train -m seed=0,1"


@pytest.mark.parametrize("plus", ["", "++"])
def test_what_is_added_stands_with_the_other_overrides(
    plus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hydra's parser refuses overrides on both sides of a flag."""
    words = ["-m", "seed=0,1", "--config-dir", "a=b", "-cn=own"]
    monkeypatch.setattr("sys.argv", ["/x/mnist_seq/train.py", *words])
    asked = shlex.split(commands.to_continue_sweep("s"))[3:]
    assert asked == ["-m", "seed=0,1", "sweep.name=s", "--config-dir", "a=b", "-cn=own"]
    monkeypatch.setattr("sys.argv", ["/x/mnist_seq/train.py", f"{plus}sweep.name=s", "-m"])
    assert shlex.split(commands.to_continue_sweep("s"))[3:] == [f"{plus}sweep.name=s", "-m"]
