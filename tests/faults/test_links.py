"""Links in the folder of a run, sweep or report: no file outside of the folder is written."""

import ast
import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from torch import nn

from mnist_seq import compare
from mnist_seq.report.render.figures import Drawing
from mnist_seq.report.render.files import write
from mnist_seq.runs import files
from mnist_seq.runs.errors import OutsideFolder
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.lock import locked
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.engines.submitit import own_folder
from mnist_seq.sweep.pool.call import Call, _logged
from mnist_seq.sweep.pool.worker import LOG
from mnist_seq.sweep.search.study import JOURNAL, _storage
from mnist_seq.tracking.wandb.mirror.client import _open_log
from mnist_seq.tracking.wandb.mirror.process import take_lock
from mnist_seq.tracking.wandb.package import remove_empty_staging
from mnist_seq.tracking.wandb.run.offline_file import files_of, mark_synced
from mnist_seq.tracking.wandb.run.remote_run import _check_writable
from mnist_seq.training import checkpoint
from mnist_seq.training.launch import _write_asked
from mnist_seq.training.run import Job
from tests.conftest import ROOT
from tests.tasks.made import locate
from tests.training.conftest import make_config

Act = Callable[[Path], object]


def job(path: Path) -> Job:
    words = ("data.limit=100", "data.valid=20", "model.hidden=4", "training.evaluate=best")
    return Job(make_config(*words), locate("mnist_5k", Path("data")), RunFolder(path), "small")


def asked(path: Path) -> None:
    _write_asked(job(path), OmegaConf.create({}))


def log(path: Path) -> None:
    with _logged(path):
        print("a line")


def lock(path: Path) -> None:
    with locked(path, what="a run"):
        pass


def at_work(path: Path) -> None:
    with Call(b"", str(path / "run"), str(path / ".at_work" / "run.lock"), "", {}).locked():
        pass


def events(path: Path) -> None:
    from mnist_seq.tracking.tensorboard import FOLDER, EventFile

    EventFile(path / FOLDER)


def note(path: Path) -> None:
    SweepFolder(path).note("planned", "run")


def set_aside(path: Path) -> None:
    (path / "run").mkdir()
    SweepFolder(path).set_aside(RunFolder(path / "run"))


def search(path: Path) -> None:
    _storage(path, "journal")


def handler(path: Path) -> None:
    files.LogHandler(path / "train.log").close()


def synced(path: Path) -> None:
    (path / "wandb" / "offline-run-1-x" / "run-x.wandb").write_text("x")
    mark_synced(path, "x")


def report(path: Path) -> None:
    write(SimpleNamespace(), path, formats=[])  # type: ignore[arg-type]


# By path: what writes there. Where the path is a link, each refuses it or replaces it
FILES: dict[str, Act] = {
    "run.json": lambda path: RunFolder(path).update_record(name="x"),
    "metrics.jsonl": lambda path: RunFolder(path).append_metrics({"step": 1}),
    "best.pt": lambda path: checkpoint.save_weights(path / "best.pt", nn.Linear(1, 1)),
    "result.json": lambda path: RunFolder(path).write_result(state="finished"),
    "predictions.npz": lambda path: RunFolder(path).write_predictions(np.ones(1), np.ones(1)),
    "checkpoint.pt": lambda path: files.write_text(path / "checkpoint.pt", "x"),
    "error.txt": lambda path: RunFolder(path).write_error("x"),
    LOG: log,
    "train.log": handler,
    ".lock": lock,
    ".lock-holder": lock,
    ".at_work/run.lock": at_work,
    "ledger.jsonl": note,
    "plan.json": lambda path: SweepFolder(path).add_plan({}),
    "decisions.jsonl": lambda path: SweepFolder(path).note_decision("gru", "decided"),
    "multirun.yaml": lambda path: files.write_text(path / "multirun.yaml", "x"),
    JOURNAL: search,
    f"{JOURNAL}.lock": search,
    **dict.fromkeys(
        ("optuna.db", "optuna.db-wal", "optuna.db-shm", "optuna.db-journal"),
        lambda path: _storage(path, "sqlite"),
    ),
    ".submitit/1_submitted.pkl": own_folder,
    "wandb/local/mirror.log": lambda path: os.close(_open_log(path)),
    "wandb/.lock": take_lock,
    "wandb/offline-run-1-x/run-x.wandb.synced": synced,
    "report.html": lambda path: files.write_text(path / "report.html", "x"),
}  # fmt: skip
SILENT = (
    ".lock-holder",
    "wandb/.lock",
    "wandb/offline-run-1-x/run-x.wandb.synced",
)  # nothing hangs on them
FOLDERS: dict[str, Act] = {
    ".hydra": asked,
    ".stale": set_aside,
    ".at_work": at_work,
    "tensorboard": events,
    "wandb": lambda path: _check_writable(path / "wandb"),
    "figures": lambda path: Drawing([], path / "figures").finish(),
    ".submitit": own_folder,
    "wandb/local": _open_log,
    "report": lambda path: compare._out([path]),
    "report-with-b": lambda path: compare._out([path, path.parent / "b"]),
}


def acted(act: Act, path: Path) -> str:
    """The refusal, or "" where it was done."""
    try:
        act(path)
    except Exception as error:  # what a command prints
        return str(error)
    return ""


def _needing_optuna(name: str) -> Any:
    if not name.startswith("optuna"):
        return name
    lacks = importlib.util.find_spec("optuna") is None
    return pytest.param(name, marks=pytest.mark.skipif(lacks, reason="pip install '.[optuna]'"))


@pytest.mark.parametrize("name", [_needing_optuna(name) for name in FILES])
def test_a_file_that_a_link_leads_to_stays_as_it_was(tmp_path: Path, name: str) -> None:
    """A folder that somebody sent must not overwrite the user's own files."""
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    (folder / name).parent.mkdir(parents=True)
    outside.write_text("the user's own")
    (folder / name).symlink_to(outside)
    said = acted(FILES[name], folder)
    assert outside.read_text() == "the user's own"
    assert (folder / name).is_symlink() == bool(said) or name in SILENT
    assert len(said.splitlines()) == bool(said)
    assert not said or name.split("/")[-1] in said


@pytest.mark.parametrize("name", FOLDERS)
def test_no_folder_that_a_link_leads_to_gets_a_file(tmp_path: Path, name: str) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    (folder / name).parent.mkdir(parents=True)
    outside.mkdir()
    (folder / name).symlink_to(outside)
    with pytest.raises(OutsideFolder, match="it is a link to") as said:
        FOLDERS[name](folder)
    assert len(str(said.value).splitlines()) == 1
    assert not list(outside.iterdir())


def test_a_report_removes_no_figures_that_a_link_leads_to(tmp_path: Path) -> None:
    """What an earlier report left goes, and only that."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "figures").symlink_to(tmp_path / "outside")
    with pytest.raises(OutsideFolder, match="figures"):
        report(tmp_path / "report")


def test_a_run_folder_that_was_moved_and_linked_to_is_written(tmp_path: Path) -> None:
    """The owner of a sweep may move a run to another disk."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    for act in (asked, lock, log, note):
        assert acted(act, tmp_path / "run") == ""
    names = {path.name for path in (tmp_path / "elsewhere").iterdir()}
    assert {".hydra", LOG, "ledger.jsonl"} <= names


def test_no_offline_file_is_looked_for_behind_a_link(tmp_path: Path) -> None:
    """Its mark would be written beside it, outside of the sweep."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "run-x.wandb").write_text("x")
    (tmp_path / "s" / "wandb").mkdir(parents=True)
    (tmp_path / "s" / "wandb" / "offline-run-1-x").symlink_to(tmp_path / "outside")
    assert files_of(tmp_path / "s", "x") == []
    mark_synced(tmp_path / "s", "x")
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["run-x.wandb"]


def test_no_folder_is_removed_through_a_link(tmp_path: Path) -> None:
    """wandb's staging is tidied at the end, and `wandb` may be a link of somebody else's."""
    theirs = tmp_path / "outside" / "local" / "artifacts" / "staging" / "tmp1"
    theirs.mkdir(parents=True)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "wandb").symlink_to(tmp_path / "outside")
    remove_empty_staging(tmp_path / "s")
    assert theirs.exists()
    ours = tmp_path / "own" / "wandb" / "local" / "artifacts" / "staging" / "tmp1"
    ours.mkdir(parents=True)
    remove_empty_staging(tmp_path / "own")
    assert not ours.exists()


# Writes that are not of `runs/files.py`, each with its reason
WRITES = {
    "tracking.wandb.mirror.priority: write_text": "a setting of the kernel",
    "system: write_text": "a setting of the kernel",
    "native.build: write_text": "the user's cache of compiled steps",
    "native.check: touch": "the user's cache of compiled steps",
    "runs.console: open": "the output of the process",
    "tracking.wandb.run.remote_run: copyfile": "into the folder that wandb has just made",
    "tasks.sources.mnist1d_file: fdopen": "the data folder of the user",
    "tasks.sources.nearby: fdopen": "the data folder of the user",
}
_STREAMS = ("1", "2", "os.dup(1)")
_WRITING = {"write_text", "write_bytes", "touch", "copyfile", "symlink_to", "tofile"}


def writes(path: Path) -> Iterator[str]:
    """Calls of a file that write without `runs.files`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        of = ast.unparse(node.func).split(".")
        if of[-1] in _WRITING and of[0] != "files" and len(of) > 1:
            yield of[-1]
        if of[-1] in ("open", "fdopen") and len(node.args) > 1:
            mode = getattr(node.args[1], "value", "")
            is_ours = "files.open_append" in ast.unparse(
                node.args[0]
            ) or "_open_log" in ast.unparse(node.args[0])
            is_ours = is_ours or ast.unparse(node.args[0]) in ("1", "2", "os.dup(1)")
            if isinstance(mode, str) and set(mode) & set("wax+") and not is_ours:
                yield of[-1]


def test_every_write_is_of_one_file() -> None:
    """`runs/files.py` follows no link and leaves no half file; another write would have to."""
    package = ROOT / "mnist_seq"
    found = {
        f"{'.'.join(path.relative_to(package).with_suffix('').parts)}: {call}"
        for path in package.rglob("*.py")
        if path != package / "runs" / "files.py"
        for call in writes(path)
    }
    assert found == set(WRITES)
