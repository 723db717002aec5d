"""plan.json: written before the first run, appended by each later change, and never replaced."""

from dataclasses import replace
from pathlib import Path

import pytest

from mnist_seq.config import ConfigError
from mnist_seq.report.read.planned import PlannedArm, SweepPlan, plans_of
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.plan.record import judged_by, record_plan
from tests.sweep.conftest import SMALL, SweepRunner


def made(num_seeds: int, *cells: str) -> SweepPlan:
    arms = {
        cell: PlannedArm(cell, "lstm", {s: f"{cell},{s}" for s in range(num_seeds)})
        for cell in ("lstm", *cells)
    }
    return SweepPlan("fixed", "test/accuracy", None, num_seeds, num_seeds, arms)


def test_a_plan_is_appended_where_it_asks_for_more_or_for_something_else(tmp_path: Path) -> None:
    """The same command again, and a part of the grid, are no new plan."""
    folder, first = SweepFolder(tmp_path), made(3, "gru", "rnn")
    for plan in (first, first, made(2, "gru"), made(5, "gru"), replace(first, margin=0.5)):
        record_plan(folder, plan)
    assert [len(p.arms["gru"].runs) for p in plans_of(tmp_path)] == [3, 5, 3]
    assert [p.margin for p in plans_of(tmp_path)] == [None, None, 0.5]


def test_a_sweep_with_a_damaged_plan_is_refused_in_one_line(tmp_path: Path) -> None:
    """To write a new one in its place would lose what was declared before the first run."""
    (tmp_path / "plan.json").write_text('{"plans": [')
    with pytest.raises(ConfigError, match=r"plan\.json must hold JSON") as refused:
        record_plan(SweepFolder(tmp_path), made(3, "gru"))
    assert len(str(refused.value).splitlines()) == 1
    assert (tmp_path / "plan.json").read_text() == '{"plans": ['


def test_what_verdicts_need_is_said_before_the_first_run() -> None:
    """The fewest seeds for a call, while seeds can still be planned."""
    assert "the paired t-test at 3 seeds, Holm over 2" in judged_by(made(3, "gru", "rnn"))
    assert "nothing before 5 seeds" in judged_by(made(3, "gru", "rnn"))
    assert "need 2 seeds" in judged_by(made(1, "gru"))
    assert judged_by(made(3)) == ""


def test_a_sweep_records_its_plan_before_its_first_run(sweep: SweepRunner) -> None:
    """What was planned, and how many seeds had ended when more were asked for."""
    words = [*SMALL, "data.limit=100", "model=lstm,gru", "model.hidden=4", "sweep.name=s"]
    output = sweep(*words, "seed=0,1", "sweep.margin=0.5")
    assert "verdicts: the paired t-test at 2 seeds, Holm over 1" in output
    assert "verdicts by one look at the planned number of seeds" in output
    folder = sweep.sweep("s")
    begun = (folder.path / "model=lstm,seed=0" / "run.json").stat().st_mtime_ns
    assert folder.plan_path.stat().st_mtime_ns < begun
    (first,) = plans_of(folder.path)
    assert (first.mode, first.metric, first.margin) == ("fixed", "test/accuracy", 0.5)
    assert first.arms["gru"] == PlannedArm(
        "gru", "lstm", {0: "model=gru,seed=0", 1: "model=gru,seed=1"}
    )
    assert not first.arms["lstm"].is_compared
    output = sweep(*words, "seed=range(3)", "sweep.margin=0.5")
    assert "verdicts by e-values: valid however often this was looked at" in output
    assert [plan.arms["gru"].ended for plan in plans_of(folder.path)] == [0, 2]
