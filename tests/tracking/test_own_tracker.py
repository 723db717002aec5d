"""A tracker of one's own is one YAML and one file: added here to a copy, and nothing is edited."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from mnist_seq.runs.folder import RunFolder
from tests import warm
from tests.conftest import ROOT, SMALL, clean_env, some
from tests.test_contributing import EXAMPLES

TABLE = EXAMPLES["A tracker"].files  # the one of CONTRIBUTING.md

FAULTY_YAML = "name: faulty\nat: nowhere\n"
# Raises once at each point of its life that `at` names
FAULTY_CODE = '''\
"""Raises where it is told to."""

from mnist_seq.runs.events import Listener
from mnist_seq.tracking import Tracker


class Faulty(Tracker):
    def __init__(self, options):
        super().__init__(options)
        self.fail("constructor")

    def fail(self, at):
        if self.options["at"] == at:
            raise OSError(f"no space at {at}")

    def open_run(self, folder):
        self.fail("open_run")
        return FaultyRun(self)


class FaultyRun(Listener):
    def __init__(self, tracker):
        for name in ("started", "progressed", "evaluated", "ended"):
            setattr(self, name, lambda event, name=name: tracker.fail(name))
'''
POINTS = ["constructor", "open_run", "started", "progressed", "evaluated", "ended"]

# The same for a tracker that watches a sweep from the command's process
WATCHING_YAML = "name: watching\nat: nowhere\n"
WATCHING_CODE = '''\
"""Raises where it is told to, in the process of a sweep."""

import contextlib

from mnist_seq.runs.events import Listener
from mnist_seq.tracking import Tracker


class Watching(Tracker):
    is_for_sweeps = True

    def fail(self, at):
        if self.options["at"] == at:
            raise RuntimeError(f"lost at {at}")

    def open_run(self, folder):
        raise AssertionError("a run of a sweep opens nothing")

    @contextlib.contextmanager
    def open_sweep(self, sweep):
        self.fail("open_sweep")

        def open_run(folder):
            self.fail("open_run")
            run = Listener()
            run.started = lambda event: self.fail("started")
            run.evaluated = lambda row: self.fail("evaluated")
            run.ended = lambda event: sweep.tell(30, f"told that {event.state}: {folder.path.name}")
            return run

        yield open_run
        self.fail("close")
'''
SWEEP_POINTS = ["open_sweep", "open_run", "started", "evaluated", "close"]

TINY = [*SMALL[:-1], "data.limit=400", "model.hidden=4"]  # the tracker apart


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with files added, and nothing edited."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("mnist_seq", "hydra_plugins", "conf", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "outputs")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, yaml, code in (
        ("table", *TABLE.values()),
        ("faulty", FAULTY_YAML, FAULTY_CODE),
        ("watching", WATCHING_YAML, WATCHING_CODE),
    ):
        (folder / "conf" / "tracker" / f"{name}.yaml").write_text(yaml)
        (folder / "mnist_seq" / "tracking" / f"{name}.py").write_text(code)
    return folder


def run(copy: Path, *words: str) -> str:
    done = warm.run(
        [sys.executable, "-m", *words],
        cwd=copy,
        env={**clean_env(), "PYTHONPATH": str(copy), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout) + str(done.stderr)


@pytest.mark.parametrize("launcher", ["pool", pytest.param("stack", marks=pytest.mark.slow)])
def test_it_tracks_the_runs_of_a_sweep(copy: Path, launcher: str) -> None:
    """The pool and the stack open it in the process that trains."""
    words = ["seed=0,1", "sweep.baseline=none", f"hydra/launcher={launcher}"]
    run(copy, "mnist_seq.train", "-m", *TINY, "tracker=table", f"sweep.name={launcher}", *words)
    for seed in (0, 1):
        folder = RunFolder(copy / "outputs" / "sweeps" / launcher / f"seed={seed}")
        lines = (folder.path / "table" / "rows.csv").read_text().splitlines()
        assert len(lines) == 1 + len(folder.metrics())
        assert "valid/accuracy" in lines[0]


def check_whole(folders: list[Path]) -> None:
    """The runs ended well."""
    for folder in folders:
        assert RunFolder(folder).state() == "finished"
        assert not (folder / "error.txt").exists()


@pytest.mark.parametrize("point", some(["constructor", "evaluated"], 1))  # the others: below
def test_a_tracker_that_raises_costs_a_run_one_warning(copy: Path, point: str) -> None:
    """Wherever it raises, and never the run."""
    words = [*TINY, "tracker=faulty", f"tracker.at={point}", f"hydra.run.dir=single-{point}"]
    out = run(copy, "mnist_seq.train", *words)
    said = f"tracker=faulty failed, and the run goes on without it: OSError: no space at {point}"
    assert out.count("goes on without it") == out.count(said) == 1, out
    assert "test accuracy" in out
    check_whole([copy / f"single-{point}"])


@pytest.mark.parametrize("launcher", ["pool", pytest.param("stack", marks=pytest.mark.slow)])
def test_a_tracker_that_raises_costs_a_sweep_one_warning(copy: Path, launcher: str) -> None:
    """Each run's log has its own; the command says it once, and all runs are whole."""
    seeds, points = ",".join(map(str, range(len(POINTS)))), ",".join(POINTS)
    out = run(
        copy, "mnist_seq.train", "-m", *TINY, "tracker=faulty", f"tracker.at={points}",
        f"seed={seeds}", "sweep.zip=[seed,tracker.at]", "sweep.baseline=none",
        f"sweep.name=faulty-{launcher}", f"hydra/launcher={launcher}", "hydra.launcher.workers=2",
    )  # fmt: skip
    assert f"{len(POINTS)} of {len(POINTS)} runs done" in out
    assert out.count("tracker=faulty failed") == 1, out
    folders = [
        path.parent for path in (copy / "outputs/sweeps" / f"faulty-{launcher}").glob("*/run.json")
    ]
    assert len(folders) == len(POINTS)
    check_whole(folders)
    for folder in folders:
        assert (folder / "log.txt").read_text().count("tracker=faulty failed") == 1


@pytest.mark.parametrize("point", some(SWEEP_POINTS, 1))
@pytest.mark.slow
def test_a_tracker_of_sweeps_that_raises_costs_one_warning(copy: Path, point: str) -> None:
    """It is in the process that all runs depend on."""
    out = run(
        copy, "mnist_seq.train", "-m", *TINY, "tracker=watching", f"tracker.at={point}", "seed=0,1",
        "sweep.baseline=none", f"sweep.name=watching-{point}", "hydra.launcher.workers=1",
    )  # fmt: skip
    assert "2 of 2 runs done" in out
    assert out.count("tracker=watching failed, and the run goes on without it") == 1, out
    assert f"RuntimeError: lost at {point}" in out
    assert out.count("told that finished") == (2 if point == "close" else 0)
