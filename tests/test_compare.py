"""The command: real runs in, a report out, and one line for whatever is wrong."""

import functools
import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from rich.console import Console

from mnist_seq import compare
from mnist_seq.config.errors import ConfigError
from mnist_seq.config.paths import conf_dir
from mnist_seq.report.keys import read_options
from mnist_seq.report.read.errors import CannotCompare
from tests import warm
from tests.conftest import SHARED_DATA, SMALL, clean_env, some
from tests.report.sweeps import report_of, write_run

Compare = Callable[..., subprocess.CompletedProcess[str]]


def python(module: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the package in a folder, without a terminal."""
    return warm.run(
        [sys.executable, "-m", module, *words],
        cwd=folder,
        env=clean_env(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def compare_values() -> dict[str, Any]:
    """The keys of conf/compare.yaml as they stand."""
    values = OmegaConf.to_container(OmegaConf.load(conf_dir() / "compare.yaml"))
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items() if key not in ("defaults", "hydra")}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real sweep: GRU at two seeds, its baseline added by the sweep or not."""
    folder = tmp_path_factory.mktemp("trained")
    done = python("mnist_seq.train", folder, "-m", "model=gru,lstm", "seed=0,1", "sweep.name=cells",
                  *SMALL)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, to damage."""
    shutil.copytree(trained / "outputs", tmp_path / "outputs")
    return tmp_path


def test_a_real_sweep_becomes_a_report(folder: Path) -> None:
    done = python("mnist_seq.compare", folder, "sweep=outputs/sweeps/cells", "thresholds=[0.3]")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "difference [95 %]" in done.stdout
    assert "in points; paired by seed" in " ".join(done.stdout.split())
    report = folder / "outputs" / "sweeps" / "cells" / "report"
    names = {path.name for path in report.iterdir()}
    assert names == {"report.html", "report.md", "report.csv", "figures"}
    assert len(list((report / "figures").glob("*.svg"))) >= 4
    assert "data:image/png;base64," in (report / "report.html").read_text(), "mnist_5k has pictures"
    assert {path.name for path in folder.iterdir()} == {"outputs"}, "Hydra leaves nothing behind"


@pytest.mark.slow
def test_the_same_report_again_leaves_the_sweep_as_it_is(folder: Path) -> None:
    """A report inside a sweep is no run of it."""
    words = ("sweep=outputs/sweeps/cells", "formats=[csv]")
    first = python("mnist_seq.compare", folder, *words)
    second = python("mnist_seq.compare", folder, *words)
    assert first.stdout == second.stdout
    assert "skipped" not in second.stdout


def test_a_report_holds_the_numbers_of_one_comparison(tmp_path: Path) -> None:
    """What an earlier one left beside it would be read as its own; a user's file stays."""
    for cell, accuracy in (("lstm", 0.9), ("gru", 0.92)):
        for seed in range(2):
            write_run(tmp_path / "s", cell, seed=seed, accuracy=accuracy + seed / 1000)
    run = functools.partial(compare.run, console=Console(file=io.StringIO()))
    values = {**compare_values(), "sweep": str(tmp_path / "s")}
    report = run(values)
    assert report == tmp_path / "s" / "report"
    assert (report / "figures" / "learning_curves.svg").exists()
    for name in ("report.txt", "figures/mine.png"):
        (report / name).write_text("mine")
    run({**values, "formats": ["html"], "alpha": 0.01})
    left = {path.name for path in report.rglob("*")}
    assert left == {"report.html", "report.txt", "figures", "mine.png"}
    for formats in ("markdown", "figures"):
        run({**values, "formats": [formats]})
        assert not (report / "report.html").exists()
        assert report_of(tmp_path / "s").skipped == (), "a report is no folder to skip"


def test_a_place_that_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    """A shared sweep is often read-only; a file in the folder's place stands for that."""
    write_run(tmp_path / "s")
    (tmp_path / "file").write_text("")
    values = {**compare_values(), "sweep": str(tmp_path / "s"), "out": str(tmp_path / "file")}
    for name in ("file", "file/below"):
        console = Console(file=io.StringIO())
        with pytest.raises(ConfigError, match=f"{name} cannot be written: .*; write out=<another"):
            compare.run({**values, "out": str(tmp_path / name)}, console)
        assert isinstance(console.file, io.StringIO)
        assert console.file.getvalue() == ""


def test_a_comparison_of_several_sweeps_leaves_their_own_reports_alone(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("a", "b", "c" * 120)] + [tmp_path / "x" / "b"]
    a, b, long, far = places
    for i, sweep in enumerate(places):
        write_run(sweep, ("lstm", "gru", "rnn", "mgu")[i])
    run = functools.partial(compare.run, console=Console(file=io.StringIO()))
    values = {**compare_values(), "formats": ["csv"]}
    outs = [run({**values, "sweep": list(map(str, sweeps))})
            for sweeps in ([a], [a, a], [a, b], [a, far], [a, long], [a, b, long])]  # fmt: skip
    assert [out.name for out in outs[:3]] == ["report", "report", "report-with-b"]
    assert {out.parent for out in outs} == {a}
    assert len({out.name for out in outs}) == 5
    assert all(len(out.name) < 100 for out in outs)
    assert run({**values, "sweep": [str(a), str(b)], "out": str(tmp_path / "o")}).name == "o"
    assert report_of(a).skipped == (), "a report is no folder to skip"


@pytest.mark.slow
def test_the_command_for_a_missing_baseline_adds_it(folder: Path) -> None:
    """It is printed to be pasted."""
    sweep = folder / "outputs" / "sweeps" / "cells"
    for run in sweep.glob("*lstm*"):
        shutil.rmtree(run)
    done = python("mnist_seq.compare", folder, "sweep=outputs/sweeps/cells", "formats=[csv]")
    found = re.search(r"python -m mnist_seq\.train (-m .*)", done.stdout)
    assert found, done.stdout
    added = python("mnist_seq.train", folder, *shlex.split(found[1]))
    assert added.returncode == 0, added.stdout + added.stderr
    again = python("mnist_seq.compare", folder, "sweep=outputs/sweeps/cells", "formats=[csv]")
    assert "missing" not in again.stdout
    assert "difference [95 %]" in again.stdout


@pytest.mark.slow
def test_one_run_folder_and_a_baseline_by_hand_can_be_typed_plainly(folder: Path) -> None:
    """Folder names hold commas and '=', which Hydra's grammar would take for its own."""
    runs = sorted(p for p in (folder / "outputs/sweeps/cells").iterdir() if p.is_dir())
    one = python("mnist_seq.compare", folder, f"sweep={runs[0]}", "formats=[csv]", "out=elsewhere")
    assert one.returncode == 0, one.stderr
    assert (folder / "elsewhere" / "report.csv").exists()
    done = python("mnist_seq.compare", folder, "sweep=outputs/sweeps/cells", "formats=[csv]",
                  "baseline=model=gru model.hidden=16", "where=model=lstm,gru")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"LSTM .* the GRU", done.stdout)


@pytest.mark.parametrize(
    ("words", "says"),
    some(
        [
            ([], "sweep must be given"),
            (["sweeep=x"], "no code reads sweeep; did you mean sweep?"),
            (["sweep=x", "+wilcoxn=true"], "did you mean wilcoxon?"),
            (["sweep=nowhere"], "sweep must be a folder that exists: sweep=nowhere"),
            (
                ["sweep=outputs/sweeps/cells", "margin=lots"],
                "margin must be auto, none or a number",
            ),
            (["sweep=outputs/sweeps/cells", "margin=0"], "margin must be positive"),
            (
                ["sweep=outputs/sweeps/cells", "test=f"],
                "test must be one of t, permutation: test=f",
            ),
            (["sweep=outputs/sweeps/cells", "formats=[pdf]"], "formats must be a list of html"),
            (["sweep=outputs/sweeps/cells", "metric=test/acc"], "metric must be one of"),
            (["sweep=outputs/sweeps/cells", "baseline=model=mgu"], "none of them"),
            (["sweep=outputs/sweeps/cells", "select=test/accuracy"], "leaves nothing to report"),
            (["sweep=outputs/sweeps/cells", "over=[1]"], "over must be a key or a list of them"),
            (["-m", "sweep=outputs/sweeps/cells"], "leave out -m"),
            (["outputs/sweeps/cells"], "write sweep=outputs/sweeps/cells"),
            (["sweep=cells"], "sweep=cells; write sweep=outputs/sweeps/cells"),
            (["sweep=outputs/sweeps/cells", "alpha=0.1,0.2"], "alpha=[a,b]"),
        ],
        8,
    ),
)
def test_what_is_wrong_is_said_in_one_line(trained: Path, words: list[str], says: str) -> None:
    done = python("mnist_seq.compare", trained, *words)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""


def test_mixed_budgets_are_refused_at_the_command_line(tmp_path: Path) -> None:
    for epochs in (1, 2):
        write_run(tmp_path / "s", training__epochs=epochs)
    done = python("mnist_seq.compare", tmp_path, "sweep=s")
    assert done.returncode == 1
    assert "training.epochs differs" in done.stderr
    assert "where='training.epochs=1'" in done.stderr
    assert not (tmp_path / "s" / "report").exists()


def test_tuned_values_are_chosen_at_the_command_line(tmp_path: Path) -> None:
    """One comparison is left of four variants: each cell at its own best."""
    for cell, best in (("lstm", 0.01), ("gru", 0.1)):
        for lr in (0.01, 0.1):
            for seed in range(2):
                accuracy = (0.95 if lr == best else 0.9) + seed / 1000
                write_run(tmp_path / "s", cell, seed=seed, accuracy=accuracy, optimizer__lr=lr)
    done = python("mnist_seq.compare", tmp_path, "sweep=s", "select=valid/accuracy",
                  "over=optimizer.lr", "formats=[csv]")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "GRU: chosen lr=0.1 of 2; valid accuracy, % 95.05" in done.stdout
    assert "LSTM: chosen lr=0.01 of 2" in done.stdout
    assert "difference [95 %]" in done.stdout


def test_help_imports_nothing_slow() -> None:
    code = (
        "import sys; sys.argv = ['compare', '--help']\n"
        "from mnist_seq import compare\n"
        "try: compare.main()\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'pandas', 'altair', 'scipy', 'wandb', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "python -m mnist_seq.compare sweep=outputs/sweeps/<name>" in done.stdout
    assert re.search("^level: 0.95 +# of intervals$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("word", "want"),
    [
        ("baseline=model=lstm model.hidden=64", "baseline='model=lstm model.hidden=64'"),
        ("sweep=a/model=gru,seed=0", "sweep='a/model=gru,seed=0'"),
        ("sweep=it's", r"sweep='it\'s'"),
        ("sweep=[a,b]", "sweep=[a,b]"),
        ("sweep='a b'", "sweep='a b'"),
        ("alpha=0.1", "alpha=0.1"),
        ("--help", "--help"),
    ],
)
def test_values_are_quoted_for_hydra_once(word: str, want: str) -> None:
    assert compare.quoted(word) == want


def test_flags_are_true_or_false() -> None:
    values = {
        "wilcoxon": "maybe", "test": "t", "correction": "holm", "duplicates": "refuse",
        "thresholds": [0.9], "margin": "none", "level": 0.95, "alpha": 0.05,
        "baseline": "auto", "where": "all", "metric": "test/accuracy", "source": "folders",
        "select": "valid/accuracy", "over": "none", "importance": "auto", "pairs": "baseline",
    }  # fmt: skip
    with pytest.raises(ConfigError, match="wilcoxon must be true or false: wilcoxon=maybe"):
        read_options(values)


@pytest.mark.slow
def test_a_sweep_over_tasks_is_trained_but_never_compared_as_one(tmp_path: Path) -> None:
    """A difference between two data sets, orders or splits is no difference between cells."""
    words = ["data=mnist,mnist_5k" if SHARED_DATA.is_dir() else "data=mnist_5k",
             "data.sequence=permuted", "data.chunk=56", "data.permutation=92916,bit_reversal",
             "data.valid=400,500", "data.limit=200", f"data.root={SHARED_DATA}"]  # fmt: skip
    done = python("mnist_seq.train", tmp_path, "-m", *words, "sweep.name=mixed", "model.hidden=4",
                  "training.batch_size=100", "tracker=none")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    sweep, where = tmp_path / "outputs" / "sweeps" / "mixed", []
    keys = {"data.name": "mnist_5k", "data.permutation": "92916", "data.valid": "400"}
    for i, (key, value) in enumerate(keys.items()):
        if i:  # several data sets are judged each on its own
            with pytest.raises(CannotCompare, match=rf"\b{key} differs: .*where='{key}="):
                report_of(sweep, where=" ".join(where))
        where.append(f"{key}={value}")
    assert [v.n for v in report_of(sweep, where=" ".join(where)).variants] == [1]


@pytest.mark.slow
def test_mnist1d_becomes_a_report_with_its_signals_drawn(tmp_path: Path) -> None:
    """Its examples are no pictures, and augmentation is an option like any other."""
    done = python("mnist_seq.train", tmp_path, "-m", "data=mnist1d", "data.root=data", "seed=0,1",
                  "data.noise=0.0,0.3", "data.limit=400", "training.batch_size=100",
                  "model.hidden=4", "tracker=none", "sweep.name=signals")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "generated MNIST-1D into" in done.stdout
    done = python("mnist_seq.compare", tmp_path, "sweep=outputs/sweeps/signals",
                  "formats=[html]", "thresholds=[0.2]")  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = tmp_path / "outputs" / "sweeps" / "signals" / "report"
    assert "data:image/png;base64," in (report / "report.html").read_text()
    assert "noise=0.3" in done.stdout
