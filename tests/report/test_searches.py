"""What a search would have found with fewer trials, and which keys its result hangs on."""

import html
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_seq.report.analyse.searches import Subject, Trial
from mnist_seq.report.render import markdown
from mnist_seq.report.render.figures import all_figures
from mnist_seq.report.render.html import render
from mnist_seq.report.sections.importance import REST, Importance, Shares, _shares
from mnist_seq.report.sections.search import Search
from mnist_seq.report.texts.headline import headline
from mnist_seq.report.texts.notices import notices
from mnist_seq.report.value import Report
from mnist_seq.runs.sweep_folder import SweepFolder
from tests.conftest import some
from tests.report.sweeps import report_of, write_run
from tests.report.test_not_learning import MOST_FREQUENT
from tests.report.test_renderings import printed

VALID = (0.91, 0.95, 0.93, 0.97, 0.90)


def searched(sweep: Path, sampler: str) -> Path:
    """Marks a sweep as a search, as its command's config does."""
    sweep.mkdir(parents=True, exist_ok=True)
    SweepFolder(sweep).config_path.write_text(
        "seed: 0\nsweep:\n  name: ${now:%Y}\nhydra:\n  sweeper:\n    n_trials: 5\n"
        f"    sampler: {sampler}\n"
    )
    return sweep


def write_search(sweep: Path, sampler: str = "random", **options: Any) -> Path:
    for i, valid in enumerate(VALID):
        write_run(sweep, accuracy=valid, optimizer__lr=10.0 ** -(i + 1), **options)
    return searched(sweep, sampler)


def test_the_curve_is_that_of_all_draws(tmp_path: Path) -> None:
    """One trial: the mean. Two: over all 25 pairs. Their spread: over the same draws."""
    report = report_of(write_search(tmp_path / "s"))
    found = Search.of(report)
    assert found is not None
    (curve,) = found.curves
    values = [100 * v for v in VALID]
    pairs = [max(a, b) for a in values for b in values]
    middle = sum(pairs) / 25
    sd = math.sqrt(sum((x - middle) ** 2 for x in pairs) / 25)
    one, two = curve.best[:2]
    assert (one.step, one.value) == (1, pytest.approx(93.2))
    assert two.value == pytest.approx(middle)
    assert (two.low, two.high) == pytest.approx((middle - sd, min(middle + sd, 97)))
    assert (curve.num_trials, found.budgets) == (5, (1, 2, 5))
    assert "as random search draws them" in found.assumption


def test_diverged_and_stopped_trials_are_no_gift(tmp_path: Path) -> None:
    """A diverged one counts as a guess, a pruned one with what it had; only failures lack."""
    sweep = write_search(tmp_path / "s", "tpe")
    write_run(sweep, state="diverged", optimizer__lr=1.0)
    stopped = write_run(sweep, state="interrupted", num_evaluations=0, optimizer__lr=2.0)
    stopped.append_metrics({"step": 1, "seconds": 1.0, "valid/accuracy": 0.5})
    write_run(sweep, state="failed", num_evaluations=0, optimizer__lr=3.0)
    report = report_of(sweep)
    found = Search.of(report)
    assert found is not None
    (curve,) = found.curves
    assert curve.about == "tpe, 7 trials, 1 diverged, 1 stopped early, 1 left out"
    total = 100 * (sum(VALID) + MOST_FREQUENT + 0.5)
    assert curve.best[0].value == pytest.approx(total / 7)
    assert "tpe does not: each trial looks at those before it" in found.assumption


def test_the_headline_is_the_best_trial_and_what_was_stopped_is_no_loss(tmp_path: Path) -> None:
    sweep = write_search(tmp_path / "s")
    pruned = write_run(sweep, state="interrupted", optimizer__lr=0.7)
    SweepFolder(sweep).note("started", pruned.path.name)
    SweepFolder(sweep).note("interrupted", pruned.path.name, reason="pruned at evaluation 2: 0.3")
    report = report_of(sweep)
    best, value = f"lr={10.0 ** -(VALID.index(max(VALID)) + 1):g}", f"{100 * max(VALID):.2f}"
    (sentence,) = headline(report)
    assert sentence.startswith(f"The best of 6 trials is {best}: {value}")
    assert sentence.endswith("test accuracy.")
    assert not any("did not end" in notice.title for notice in notices(report))
    write_run(sweep, "gru", accuracy=0.99)  # a trial alone is no search, and may be the best
    (sentence,) = headline(report_of(sweep))
    assert sentence.startswith("LSTM: the best of 6 trials is LSTM")


def test_two_cells_are_two_searches_and_unequal_ones_are_named(tmp_path: Path) -> None:
    write_search(tmp_path / "a")
    write_search(tmp_path / "b", cell="gru")
    write_run(tmp_path / "b", "gru", accuracy=0.9, optimizer__lr=0.5)
    report = report_of(tmp_path / "a", tmp_path / "b")
    found = Search.of(report)
    assert found is not None
    assert [(c.name, c.num_trials) for c in found.curves] == [("LSTM", 5), ("GRU", 6)]
    assert report.warnings == ("unequal tuning budgets, trials of the searches: 6 (GRU); 5 (LSTM)",)


def test_what_a_search_stopped_was_tried(tmp_path: Path) -> None:
    """Six trials a cell, one of them pruned, are equal budgets; an interrupted grid is not."""
    for cell in ("lstm", "gru"):
        sweep = write_search(tmp_path / cell, cell=cell)
        if cell == "lstm":
            write_run(sweep, cell, optimizer__lr=0.5)
        else:
            run = write_run(sweep, cell, state="interrupted", num_evaluations=0, optimizer__lr=0.5)
            run.append_metrics({"step": 1, "seconds": 1.0, "valid/accuracy": 0.5})
    sweeps = (tmp_path / "lstm", tmp_path / "gru")
    report = report_of(*sweeps, over=("optimizer.lr",))
    assert not report.warnings
    assert not any("lr=0.5" in missing.what for missing in report.missing)
    choices = [variant.choice for variant in report.variants]
    assert [choice.num_tried for choice in choices if choice] == [6, 6]
    remarks = [remark for choice in choices if choice for remark in choice.remarks]
    assert remarks == ["1 stopped early by the search did not compete"]
    for sweep in sweeps:
        SweepFolder(sweep).config_path.unlink()
    assert any(
        "values of optimizer.lr tried: 6 (LSTM), 5 (GRU)" in warning
        for warning in report_of(*sweeps, over=("optimizer.lr",)).warnings
    )


def test_a_search_is_told_apart_from_a_sweep_to_go_on_with(tmp_path: Path) -> None:
    """A pruned trial is no gap to fill, and what is added to a search would disturb it."""
    sweep = write_search(tmp_path / "made_up")
    pruned = write_run(sweep, state="interrupted", optimizer__lr=0.7)
    write_run(sweep, "gru", optimizer__lr=0.3)
    reason = "pruned at evaluation 2: valid/accuracy 0.31"
    ledger = SweepFolder(sweep)
    ledger.note("started", pruned.path.name)
    ledger.note("interrupted", pruned.path.name, reason=reason)
    ledger.note("reused", pruned.path.name, trial=3)
    report = report_of(sweep)
    assert [run.reason for run in report.runs if run.state == "interrupted"] == [reason]
    assert report.missing
    assert all("GRU" not in missing.what for missing in report.missing)
    assert [missing.what for missing in report.missing] == ["baseline LSTM, lr=0.3"]
    assert "sweep.name" not in report.missing[0].command
    ledger.config_path.unlink()
    assert "sweep.name=made_up" in report_of(sweep).missing[0].command
    (sweep / "optuna.journal").touch()
    assert "sweep.name" not in report_of(sweep).missing[0].command
    ledger.note("started", pruned.path.name)
    assert any("still running" in run.reason for run in report_of(sweep).runs)


def test_a_grid_is_no_search_unless_it_was_tuned_over(tmp_path: Path) -> None:
    sweep = write_search(tmp_path / "s")
    SweepFolder(sweep).config_path.unlink()
    assert Search.of(report_of(sweep)) is None
    found = Search.of(report_of(sweep, over=("optimizer.lr",)))
    assert found is not None
    assert "values listed by hand are no draws" in found.assumption


def test_the_search_is_in_every_rendering(tmp_path: Path) -> None:
    report = report_of(write_search(tmp_path / "s"))
    figures = all_figures(report)
    names = [figure.name for figure in figures]
    assert "search" in names
    assert len(set(names)) == len(names)
    for text in (printed(report, 300), markdown.render(report), html.unescape(render(report))):
        for part in ("5 trials", "93.20", "Dodge et al. 2019", "as random search draws them"):
            assert part in text


def write_many(sweep: Path) -> Path:
    """24 trials whose result hangs on the learning rate, and on nothing else."""
    for i in range(24):
        lr = 10 ** (-4 + i / 8)
        accuracy = round(0.95 - 0.1 * (math.log10(lr) + 2) ** 2, 4)
        write_run(sweep, hidden=(16, 32, 64)[i % 3], accuracy=accuracy, num_evaluations=1,
                  optimizer__lr=lr)  # fmt: skip
    return searched(sweep, "random")


def importances(report: Report) -> tuple[Shares, ...]:
    found = Importance.of(report)
    return found.searches if found else ()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("sweeps") / "many")


def test_the_learning_rate_is_found_to_matter(many: Path) -> None:
    """The evaluator, n, target and seeds are named with it."""
    pytest.importorskip("optuna", reason="pip install '.[optuna]'")
    report: Report = report_of(many)
    (found,) = importances(report)
    assert [key for key, *_ in found.shares] == ["optimizer.lr", "model.hidden", REST]
    (_, mean, low, high), *_ = found.shares
    assert sum(share for _, share, *_ in found.shares) == pytest.approx(1)
    assert found.fit > 0.8
    assert "as logarithms: optimizer.lr" in found.about
    assert 0.8 < low <= mean <= high <= 1
    for part in ("FanovaImportanceEvaluator", "n=24", "valid accuracy", "seeds 0, 1, 2", "random"):
        assert part in found.about
    for text in (printed(report, 300), markdown.render(report), html.unescape(render(report))):
        assert f"{100 * mean:.1f}" in text
        assert "FanovaImportanceEvaluator" in text


@pytest.mark.parametrize("kind", some(["noise", "interaction"], 1))
def test_main_effects_are_no_share_of_a_hundred(tmp_path: Path, kind: str) -> None:
    """Rescaled, keys that explain nothing by themselves share 100 % among them."""
    pytest.importorskip("optuna", reason="pip install '.[optuna]'")
    draw = np.random.default_rng(0)
    trials = []
    for _ in range(60):
        x, y = draw.uniform(-1, 1, 2)
        value = draw.normal() if kind == "noise" else math.copysign(1, x * y)
        trials.append(Trial({"model.name": "lstm", "a": x, "b": y}, value, False, False))
    subject = Subject("lstm", "lstm", "random", tuple(trials), 0)
    found = _shares(subject, "valid accuracy")
    (*own, rest) = found.shares
    assert rest[0] == REST
    assert sum(share for _, share, *_ in own) < 0.8
    assert rest[1] > 0.2
    if kind == "noise":
        assert found.fit < 0
        assert "the shares say nothing of this search" in found.about


def test_why_a_search_has_no_importance_is_said(many: Path, tmp_path: Path) -> None:
    report = report_of(write_search(tmp_path / "few"))
    assert "importance of hyper-parameters: not computed for LSTM, 5 trials of the 20 that it " in (
        " ".join(report.notes)
    )
    for i in range(20):
        write_run(tmp_path / "flat", accuracy=0.9, num_evaluations=1, optimizer__lr=0.1 + i / 10)
    report = report_of(searched(tmp_path / "flat", "random"))
    assert report.notes[-1].endswith("all its trials have the same value")


def test_importance_is_of_searches_unless_asked_otherwise(many: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="pip install '.[optuna]'")
    assert importances(report_of(many, importance="none")) == ()
    grid = write_many(tmp_path / "grid")
    SweepFolder(grid).config_path.unlink()
    assert importances(report_of(grid)) == ()
    (found,) = importances(report_of(grid, importance="all"))
    assert "sampler grid" in found.about


def test_without_optuna_the_way_to_it_is_said(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    report = report_of(many)
    assert importances(report) == ()
    assert report.notes[-1].endswith("pip install 'mnist_seq[optuna]'")
