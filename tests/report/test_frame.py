"""A notebook starts where the report ends, with the same runs."""

import json
import sys
from pathlib import Path

import pytest

import mnist_seq
from tests.conftest import ROOT
from tests.report.sweeps import report_of, write_run


def test_a_row_a_run_with_what_was_swept_and_what_came_out(grid: Path) -> None:
    runs = mnist_seq.load_sweep(grid)
    assert len(runs) == 30
    assert set(runs["model"]) == {"lstm", "gru", "rnn"}
    assert set(runs["model.hidden"]) == {32, 64}
    assert set(runs["state"]) == {"finished"}
    assert {"config.training.epochs", "test/accuracy", "num_params", "seconds", "folder"} <= set(
        runs
    )
    means = 100 * runs.groupby("variant")["test/accuracy"].mean()
    for variant in report_of(grid).variants:
        assert means[variant.name] == pytest.approx(variant.mean, abs=1e-9)


def test_history_follows_the_rows_that_are_chosen(grid: Path) -> None:
    runs = mnist_seq.load_sweep(grid)
    assert len(runs.history()) == 150
    chosen = runs[(runs["model"] == "gru") & (runs["seed"] < 2)].sort_values("seed")
    history = chosen.history()
    assert len(history) == 20
    assert set(history["variant"]) == {"gru, hidden=32", "gru, hidden=64"}
    assert {"step", "seconds", "valid/accuracy"} <= set(history)
    assert len(runs[runs["seed"] > 99].history()) == 0


def test_failed_runs_are_rows_too(tmp_path: Path) -> None:
    write_run(tmp_path / "s", state="failed")
    write_run(tmp_path / "s", "gru", state="interrupted")
    runs = mnist_seq.load_sweep(tmp_path / "s")
    assert sorted(runs["state"]) == ["failed", "interrupted"]
    assert "no luck" in " ".join(runs["reason"])


def test_what_is_skipped_is_warned_of(tmp_path: Path) -> None:
    write_run(tmp_path / "s")
    (tmp_path / "s" / "empty").mkdir()
    with pytest.warns(UserWarning, match=r"1 folders were skipped: .*empty \(empty\)"):
        assert len(mnist_seq.load_sweep(tmp_path / "s")) == 1


def test_a_report_at_a_prompt_is_one_short_line(grid: Path) -> None:
    """In full it is hundreds of thousands of characters, which a notebook would keep as text."""
    text = repr(report_of(grid))
    assert text.startswith("<report of made_up: The GRU is 0.39 to 0.44 points better")
    assert "30 finished of 30 runs in 6 variants" in text
    assert len(text) < 400


def test_importing_the_package_imports_no_pandas() -> None:
    """Training and help must not wait for what notebooks need."""
    import subprocess

    code = "import sys, mnist_seq; sys.exit('pandas' in sys.modules or not mnist_seq.__version__)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mnist_seq.nothing  # noqa: B018


def test_the_example_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code cells, one after the other, on a sweep like the one that it names."""
    for seed in range(3):
        for cell in ("lstm", "gru"):
            write_run(tmp_path / "outputs" / "sweeps" / "cells", cell, seed=seed,
                      accuracy=0.9 + seed / 1000)  # fmt: skip
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((ROOT / "examples" / "compare.ipynb").read_text())
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "compare.ipynb", "exec"), names)
    assert len(names["history"]) == 30  # type: ignore[arg-type]
