"""What a run is called in W&B."""

from pathlib import Path
from typing import Any

import pytest

from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.runs.text import fitting
from mnist_seq.tracking.wandb.run.contents import Identity, identify

CONFIG = {
    "seed": 0, "sweep": {"name": "mine"}, "model": {"name": "lstm"}, "data": {"name": "mnist"},
    "tracker": {},
}  # fmt: skip


def identified(folder: RunFolder, **facts: Any) -> Identity:
    """The identity of a run whose run.json says this."""
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.update_record(**{"config": CONFIG, "config_hash": "c", "data": {}, **facts})
    return identify(folder)


def test_long_names_of_sweeps_are_groups_of_their_own() -> None:
    """W&B takes 128 characters; two sweeps that begin alike must not share a group."""
    names = ["n" * 128, "n" * 200, "n" * 199 + "m"]
    assert len({fitting(name) for name in names}) == 3
    assert all(len(fitting(name)) <= 128 for name in names)
    assert fitting(names[0]) == names[0]


def test_a_run_anew_with_other_code_or_data_is_another_run(tmp_path: Path) -> None:
    """W&B keeps the rows that it has: they would be the old run's, under the new run's name."""
    folder = RunFolder(tmp_path / "a")
    whats = [
        {"code": {"hash": code, "commit": commit}, "data": {"fingerprint": data}}
        for code, commit, data in [
            ("1", "x", "f"),
            ("1", "y", "f"),
            ("2", "y", "f"),
            ("2", "y", "g"),
        ]
    ]
    first, same, other_code, other_data = (identified(folder, **what).id for what in whats)
    assert first == same
    assert len({first, other_code, other_data}) == 3
    assert identified(folder, **whats[0], wandb={"id": other_data}).id == other_data


def test_the_runs_of_a_sweep_do_not_share_an_agents_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent's command with -m: W&B refuses the second of two runs of one id."""
    monkeypatch.setenv("WANDB_SWEEP_ID", "s")
    monkeypatch.setenv("WANDB_RUN_ID", "given")
    a, b = (identified(RunFolder(tmp_path / "mine" / name)).id for name in "ab")
    assert len({a, b, "given"}) == 3
    assert identified(RunFolder(tmp_path / "alone")).id == "given"


def test_a_sweep_keeps_its_group_and_its_files_where_its_folder_has_another_name(
    tmp_path: Path,
) -> None:
    """It was renamed, or hydra.sweep.dir was given; a run of its own has no group."""
    assert identified(RunFolder(tmp_path / "2026" / "run")).group == ""
    sweep = SweepFolder(tmp_path / "renamed")
    run = sweep.run("seed=0")
    run.path.mkdir(parents=True)
    sweep.note("planned", "seed=0")
    sweep.config_path.write_text("hydra:\n  sweeper:\n    sampler: tpe\n")
    found = identified(run)
    assert (found.group, found.home) == ("mine", sweep.path)
    assert found.config["run"]["sampler"] == "tpe"
