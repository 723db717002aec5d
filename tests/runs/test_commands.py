"""Commands that are printed can be typed as they stand, and mean what was typed before."""

import shlex
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mnist_seq.config.paths import conf_dir
from mnist_seq.runs import commands
from mnist_seq.runs.sweep_folder import SWEEPS


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> "pytest.MonkeyPatch":
    words = ["-m", "--config-dir", "my conf", "-cn=own", "hydra/launcher=joblib", "seed=0,1"]
    monkeypatch.setattr("sys.argv", ["/x/mnist_seq/train.py", *words])
    return monkeypatch


def test_what_was_typed_goes_on_in_the_same_folder(typed: pytest.MonkeyPatch) -> None:
    """A name that came from the clock must stand in the command; flags and launcher stay."""
    command = commands.to_continue_sweep("2026-01-01_10-00-00", SWEEPS / "2026-01-01_10-00-00")
    assert shlex.split(command) == [
        "python", "-m", "mnist_seq.train", "-m", "--config-dir", "my conf", "-cn=own",
        "hydra/launcher=joblib", "seed=0,1", "sweep.name=2026-01-01_10-00-00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "folder", "ends"),
    [
        (["sweep.name=s"], SWEEPS / "s", ["sweep.name=s"]),
        (["hydra.sweep.dir=there"], Path("there"), ["hydra.sweep.dir=there"]),
        (["sweep.name=${now:%S}"], SWEEPS / "s", ["sweep.name=s"]),
        (["hydra.sweep.dir=a/${now:%S}"], Path("a", "07"), ["hydra.sweep.dir=a/07"]),
        ([], Path("of a yaml"), ["sweep.name=s", "hydra.sweep.dir='of a yaml'"]),
    ],
)
def test_the_folder_of_a_sweep_is_named_once_and_without_the_clock(
    monkeypatch: pytest.MonkeyPatch, words: list[str], folder: Path, ends: list[str]
) -> None:
    """With the clock in it, the same words would begin another sweep."""
    monkeypatch.setattr("sys.argv", ["train.py", "-m", "seed=0,1", *words])
    asked = shlex.split(commands.to_continue_sweep("s", folder))
    assert asked[3:] == ["-m", "seed=0,1", *ends]


def test_a_name_like_a_number_is_quoted_for_hydra_and_for_the_shell(
    typed: pytest.MonkeyPatch,
) -> None:
    """Hydra would read a number, and a sweep's name is text."""
    assert (
        shlex.split(commands.to_continue_sweep("2026", SWEEPS / "2026"))[-1] == "sweep.name='2026'"
    )


def test_the_console_script_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/mnist-seq-train", "seed=1"])
    assert commands.to_continue("hydra.run.dir", "x") == ("mnist-seq-train seed=1 hydra.run.dir=x")


ASKED = {
    "overrides": {
        "hydra": [
            "hydra/launcher=stack", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=3",
            "+hydra.job.env_set.X=a b", "hydra.sweep.dir=there", "hydra.mode=MULTIRUN",
        ],
        "task": ["model=mine", "seed=0,1"],
    },
    "job": {"config_name": "own"},
    "runtime": {
        "config_sources": [
            {"provider": "main", "path": str(conf_dir())},
            {"provider": "command-line", "path": "/my conf"},
        ]
    },
}  # fmt: skip
FLAGS = ["--config-dir", "/my conf", "--config-name", "own"]


def test_a_winner_is_trained_over_the_configs_of_its_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without --config-dir its options would not be found; one run has no launcher and sweeper."""
    monkeypatch.setattr("sys.argv", ["train.py"])
    asked = shlex.split(commands.to_train_alike(["model=mine", "optimizer.lr=0.1"], ASKED))
    env = "+hydra.job.env_set.X=a b"
    assert asked[3:] == [*FLAGS, env, "model=mine", "optimizer.lr=0.1"]


def test_a_sweep_goes_on_from_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's own arguments are those of its engine, such as submitit's folder."""
    monkeypatch.setattr("sys.argv", ["_submit.py", "/x/.submitit"])
    asked = shlex.split(commands.to_continue_sweep("s", Path("there"), asked=ASKED))
    words = [w for w in ASKED["overrides"]["hydra"] if w != "hydra.mode=MULTIRUN"]  # type: ignore[index]
    assert asked[3:] == ["-m", *FLAGS, *words, "model=mine", "seed=0,1"]


@pytest.mark.parametrize("is_search", [False, True])
@pytest.mark.parametrize("own", ["own", "sweep/own", "../own", "nowhere"])
def test_runs_are_added_with_the_configs_and_the_launcher_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, *, is_search: bool
) -> None:
    """A record is a text of others: it names no function, and no configs but those of here."""
    here, run = tmp_path / "here", tmp_path / "here" / "sweep" / "run"
    for folder in (run / ".hydra", here / "own", here / "sweep" / "own", tmp_path / "own"):
        folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(here)
    monkeypatch.setattr("sys.argv", ["compare.py"])
    asked = OmegaConf.create(ASKED)
    asked.runtime.config_sources[1].path = str(here / own)
    asked.overrides.hydra += ["hydra.launcher.workers=2", "hydra.launcher._target_=os.abort"]
    asked.overrides.hydra += ["hydra.launcher.grace='${oc.env:X}'", "+hydra.callbacks.x._target_=y"]
    of_slurm = [f"hydra.launcher.parameters.{word}" for word in ("mem_gb=1", "slurm_gres=gpu:x:1")]
    asked.overrides.hydra += [*of_slurm, "hydra.launcher.python=x"]
    asked.overrides.hydra += ["++hydra.launcher.parameters.slurm_setup=x"]
    text = OmegaConf.to_yaml(OmegaConf.create({"hydra": asked}))
    (run / ".hydra" / "hydra.yaml").write_text(text, encoding="utf-8")
    added = shlex.split(commands.to_add(["model=lstm"], run, is_search=is_search))
    flags = ["--config-dir", str(here / own), "--config-name", "own"] if own == "own" else []
    kept = ["hydra/launcher=stack", "hydra.launcher.workers=2", *of_slurm]
    sweeper = ["hydra/sweeper=mnist_seq"] if is_search else []
    assert added[3:] == ["-m", *flags, *kept, *sweeper, "model=lstm"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{",
        "[1]",
        "hydra: 3",
        "hydra: {overrides: 1, runtime: {config_sources: [3]}, job: x}",
        "\0",
    ],
)
def test_a_record_that_cannot_be_read_asks_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    monkeypatch.setattr("sys.argv", ["compare.py"])
    (tmp_path / ".hydra").mkdir()
    if text is not None:
        (tmp_path / ".hydra" / "hydra.yaml").write_text(text, encoding="utf-8")
    added = commands.to_add(["seed=0,1"], tmp_path, is_search=False)
    assert added == "python -m mnist_seq.train -m seed=0,1"


def test_folders_with_spaces_are_one_word_and_scripts_call_scripts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the console script was called, `python` may be another one."""
    folder = Path("/a b/c")
    assert shlex.split(commands.to_compare(folder))[-1] == "sweep=/a b/c"
    assert commands.to_sync(folder) == "python -m mnist_seq.sync 'sweep=/a b/c'"
    monkeypatch.setattr("sys.argv", ["/usr/bin/mnist-seq-train"])
    assert commands.to_sync(folder) == "mnist-seq-sync 'sweep=/a b/c'"


@pytest.mark.parametrize("plus", ["", "++"])
def test_what_is_added_stands_with_the_other_overrides(
    plus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hydra's parser refuses overrides on both sides of a flag."""
    words = ["-m", "seed=0,1", "--config-dir", "a=b", "-cn=own"]
    monkeypatch.setattr("sys.argv", ["/x/mnist_seq/train.py", *words])
    asked = shlex.split(commands.to_continue_sweep("s", SWEEPS / "s"))[3:]
    assert asked == ["-m", "seed=0,1", "sweep.name=s", "--config-dir", "a=b", "-cn=own"]
    monkeypatch.setattr("sys.argv", ["/x/mnist_seq/train.py", f"{plus}sweep.name=s", "-m"])
    assert shlex.split(commands.to_continue_sweep("s", SWEEPS / "s"))[3:] == [
        f"{plus}sweep.name=s",
        "-m",
    ]
