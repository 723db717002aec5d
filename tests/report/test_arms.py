"""Arms of a study: named, with what they change, the largest effect first."""

import csv
import html
import io
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.report.charts import base as charts
from mnist_seq.report.charts import style
from mnist_seq.report.render import markdown, table_csv
from mnist_seq.report.render.figures import all_figures
from mnist_seq.report.render.html import render
from mnist_seq.report.value import Report
from tests.report.sweeps import report_of, write_run
from tests.report.test_renderings import printed

# what each arm does to the accuracy, in points
EFFECTS = {"a_little": 0.1, "much_worse": -5.0, "better": 2.0, "nothing": 0.0}


def write_arm(sweep: Path, arm: str, seed: int, accuracy: float, *words: str, **own: Any) -> None:
    run = write_run(sweep, seed=seed, accuracy=accuracy, name=f"{arm}{own}{seed}", **own)
    record = run.record()
    record["config"]["arm"] = arm
    run.update_record(
        config=record["config"],
        overrides=[f"arm={arm}", "training.epochs=1", *words, f"seed={seed}"],
        config_hash=f"{arm}{own}{seed}",
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    sweep = tmp_path_factory.mktemp("sweeps") / "study"
    for seed in range(4):
        base = 0.9 + seed / 500
        write_arm(sweep, "baseline", seed, base, "model.cifg=false")
        for i, (arm, effect) in enumerate(EFFECTS.items()):
            accuracy = base + effect / 100 + (seed % 2) / 1e4
            words = [f"model.option{i}=true"] + ["model.cifg=false"] * (arm != "better")
            write_arm(sweep, arm, seed, accuracy, *words, **{f"model__option{i}": True})
    return report_of(sweep)


def test_arms_follow_their_baseline_by_the_size_of_their_effect(report: Report) -> None:
    names = ["baseline", "much_worse", "better", "a_little", "nothing"]
    assert [v.name for v in report.variants] == names
    assert [v.key for v in report.variants] == list(range(5))
    assert {v.baseline_name for v in report.variants} == {"baseline"}
    assert report.variants[1].compared is not None
    assert report.variants[1].compared.comparison.difference == pytest.approx(-4.995)
    assert report.counts.endswith("arms by the size of their effect")
    by_name = {report.variants[run.variant].name: run.value for run in report.runs if run.seed == 0}
    assert by_name == pytest.approx(
        {"baseline": 90, "much_worse": 85, "better": 92, "a_little": 90.1, "nothing": 90}
    )


def test_what_an_arm_changes_is_named_in_every_rendering(report: Report) -> None:
    changes = [v.change for v in report.variants]
    assert changes == [
        "", "model.option1=true", "model.option2=true, not model.cifg=false",
        "model.option0=true", "model.option3=true",
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(table_csv.render(report))))
    assert [row["changes"] for row in rows] == changes
    page = html.unescape(render(report))
    for text in (printed(report, 300), markdown.render(report), page):
        assert all(change in text for change in changes)


def test_each_point_of_the_grid_has_its_own_order(tmp_path: Path) -> None:
    """An arm's rank is that among the arms at the same width."""
    for hidden, effects in ((32, {"x": 1.0, "y": 3.0}), (64, {"x": 5.0, "y": 2.0})):
        for seed in range(3):
            base = 0.8 + hidden / 1000 + seed / 100
            write_arm(tmp_path / "s", "baseline", seed, base, hidden=hidden)
            for arm, effect in effects.items():
                accuracy = base + effect / 100 + (seed % 2) / 1e4
                write_arm(tmp_path / "s", arm, seed, accuracy, f"model.{arm}=1", hidden=hidden,
                          **{f"model__{arm}": 1})  # fmt: skip
    assert [v.name for v in report_of(tmp_path / "s").variants] == [
        "baseline, hidden=32", "y, hidden=32", "x, hidden=32",
        "baseline, hidden=64", "x, hidden=64", "y, hidden=64",
    ]  # fmt: skip


def test_arms_are_compared_at_their_own_best_values(tmp_path: Path) -> None:
    """Each arm and the baseline choose for themselves, on valid."""
    table = {("baseline", 0.01): 0.9, ("baseline", 0.1): 0.8, ("x", 0.01): 0.7, ("x", 0.1): 0.95}
    for (arm, lr), accuracy in table.items():
        for seed in range(2):
            own = {"model__x": 1} if arm == "x" else {}
            write_arm(tmp_path / "s", arm, seed, accuracy + seed / 100, f"optimizer.lr={lr}",
                      optimizer__lr=lr, **own)  # fmt: skip
    base, arm = report_of(tmp_path / "s", over=("optimizer.lr",)).variants
    assert (base.name, arm.name, arm.baseline_name) == ("baseline", "x", "baseline")
    assert base.choice is not None
    assert arm.choice is not None
    assert (base.choice.text, arm.choice.text) == ("lr=0.01 of 2", "lr=0.1 of 2")
    assert arm.compared is not None
    assert arm.compared.comparison.difference == pytest.approx(5)


def test_arms_of_several_cells_are_named_and_drawn_by_arm(tmp_path: Path) -> None:
    """Two arms may have one cell, and one panel tells them all apart."""
    for seed in range(2):
        write_arm(tmp_path / "s", "baseline", seed, 0.9)
        for i, arm in enumerate(("GRU", "GRU_again", "RNN")):
            cell = {"cell": arm.lower()[:3], "model__hidden": 60 + i}
            write_arm(tmp_path / "s", arm, seed, 0.9 + i / 100, f"model={cell['cell']}", **cell)
    report = report_of(tmp_path / "s")
    assert {v.name for v in report.variants} == {"baseline", "GRU", "GRU_again", "RNN"}
    series = charts.series_of(report)
    assert (series.title, set(series.styles)) == ("arm", {v.label for v in report.variants})
    assert [(name, len(members)) for name, members in charts.families(report)] == [("", 4)]


def test_no_line_joins_arms(report: Report) -> None:
    """They have no order along which one could run."""
    assert "factors" not in {figure.name for figure in all_figures(report)}


def test_no_arm_of_many_looks_like_the_baseline_or_another() -> None:
    styles = style.variant_styles([f"v{i}" for i in range(20)])
    assert styles["v0"] == style.CELLS["lstm"]
    assert styles["v0"].color not in {styles[f"v{i}"].color for i in range(1, 20)}
    assert len(set(styles.values())) == 20


def test_names_at_the_front_do_not_run_into_each_other(tmp_path: Path) -> None:
    """Of near neighbours one is named; the others have their legend and their tooltip."""
    for hidden, accuracy in ((100, 0.9), (101, 0.901), (102, 0.902), (400, 0.95)):
        write_run(tmp_path / "s", hidden=hidden, accuracy=accuracy)
    (costs,) = [f for f in all_figures(report_of(tmp_path / "s")) if f.name == "costs"]
    texts = [rows for name, rows in costs.panels[0].tables.rows.items() if name > "table1"]
    names = [row["variant"] for rows in texts for row in rows]
    assert sorted(names) == ["102 hidden units", "400 hidden units"]


def test_cells_that_are_read_or_wrapped_unlike_the_baseline_are_named(tmp_path: Path) -> None:
    """Mean pooling alone is worth points to some families: then cells are not what is compared."""
    for seed in range(2):
        write_arm(tmp_path / "s", "baseline", seed, 0.9)
        around = {"model__name": "gru", "model__readout": "mean", "model__block": "residual"}
        write_arm(tmp_path / "s", "pooled", seed, 0.95, **around)
        write_arm(tmp_path / "s", "bare", seed, 0.95, model__name="mgu")
        # the part itself is what is compared
        write_arm(tmp_path / "s", "mean", seed, 0.95, model__readout="mean")
    (warning,) = [w for w in report_of(tmp_path / "s").warnings if "around the recurrence" in w]
    assert warning.endswith(
        "one of that: pooled: model.readout=mean and last, model.block=residual and none"
    )
