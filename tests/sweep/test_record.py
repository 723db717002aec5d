"""plan.json: written before the first run, appended by each later change, and never replaced."""

from dataclasses import replace
from pathlib import Path

import pytest

from mnist_seq.config import ConfigError
from mnist_seq.report.read.planned import PlannedArm, SweepPlan, plans_of
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.sweep.plan.record import (
    _in_its_sweep,
    judged_by,
    planned_text,
    record_plans,
)
from tests.sweep.conftest import SMALL, SweepRunner


def made(num_seeds: int, *cells: str) -> SweepPlan:
    arms = {
        cell: PlannedArm(cell, "lstm", {s: f"{cell},{s}" for s in range(num_seeds)})
        for cell in ("lstm", *cells)
    }
    return SweepPlan("fixed", "test/accuracy", None, num_seeds, num_seeds, arms)


def judged(plan: SweepPlan) -> str:
    return "; ".join(judged_by({"mnist": plan}))


def test_a_plan_is_appended_where_it_asks_for_more_or_for_something_else(tmp_path: Path) -> None:
    """The same command again, and a part of the grid, are no new plan."""
    folder, first = SweepFolder(tmp_path), made(3, "gru", "rnn")
    for plan in (first, first, made(2, "gru"), made(5, "gru"), replace(first, margin=0.5)):
        record_plans(folder, [plan])
    assert [len(p.arms["gru"].runs) for p in plans_of(tmp_path)] == [3, 5, 3]
    assert [p.margin for p in plans_of(tmp_path)] == [None, None, 0.5]


def test_a_sweep_with_a_damaged_plan_is_refused_in_one_line(tmp_path: Path) -> None:
    """To write a new one in its place would lose what was declared before the first run."""
    (tmp_path / "plan.json").write_text('{"plans": [')
    with pytest.raises(ConfigError, match=r"plan\.json must hold JSON") as refused:
        record_plans(SweepFolder(tmp_path), [made(3, "gru")])
    assert len(str(refused.value).splitlines()) == 1
    assert (tmp_path / "plan.json").read_text() == '{"plans": ['


def test_what_verdicts_need_is_said_before_the_first_run() -> None:
    """The fewest seeds for a call, while seeds can still be planned."""
    assert "the paired t-test at 3 seeds, Holm over 2" in judged(made(3, "gru", "rnn"))
    assert "nothing before 5 seeds" in judged(made(3, "gru", "rnn"))
    assert "need 2 seeds" in judged(made(1, "gru"))
    assert judged(made(3)) == ""


def test_each_task_has_a_plan_of_its_own(tmp_path: Path) -> None:
    """Its family is that of its verdicts, and the same command again is no new plan of either."""
    adding = replace(
        made(3, "gru"),
        metric="test/mse",
        arms={"gru": PlannedArm("gru", "lstm", {0: "adding,gru,0", 1: "adding,gru,1"})},
    )
    plans = {"adding": adding, "mnist": made(3, "gru", "rnn")}
    for _ in range(2):
        record_plans(SweepFolder(tmp_path), plans.values())
    assert [p.metric for p in plans_of(tmp_path)] == ["test/mse", "test/accuracy"]
    assert [line[:36] for line in judged_by(plans)] == [
        "adding, verdicts: the paired t-test ",
        "mnist, verdicts: the paired t-test a",
    ]
    (line,) = judged_by(dict.fromkeys(plans, adding))
    assert line.startswith("each task on its own, verdicts: the paired t-test at 3 seeds, Holm")


@pytest.mark.slow
def test_a_sweep_over_tasks_ends_with_a_verdict_on_each(sweep: SweepRunner) -> None:
    """Budget, rate and size from the experiment of each; what is for one task is refused."""
    words = ["experiment=adding,parity", "model=lstm,gru", "tracker=none", "sweep.name=s"]
    for asked in ("sweep.until=decided", "sweep.margin=0.5"):
        output = sweep(*words, asked, code=1)
        assert f"{asked} goes by the metric of one task" in output
    output = sweep(*words, "seed=0,1", "++data.length=4", "training.updates=2", "++data.probes=[]",
                   "model.hidden=2", "data.valid=20", "++data.test=20")  # fmt: skip
    assert "each task on its own, verdicts: the paired t-test at 2 seeds, Holm over 1" in output
    assert "2 tasks, each on its own. adding, parity: nothing beats the baseline" in output
    assert ["adding" in output.splitlines(), "parity" in output.splitlines()] == [True, True]
    assert "8 finished of 8 runs in 4 variants" in output
    adding, parity = plans_of(sweep.sweep("s").path)
    assert (adding.metric, parity.metric) == ("test/mse", "test/accuracy")
    assert adding.arms["gru"].baseline == "lstm"


@pytest.mark.slow
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


def test_a_margin_is_declared_once_and_what_is_new_is_said(tmp_path: Path) -> None:
    """Declared again without one it is kept; another one is refused; a late one is named."""
    folder = SweepFolder(tmp_path)
    record_plans(folder, [made(3, "gru")])
    (line,) = planned_text(folder, {"mnist": replace(made(3, "gru"), margin=1.0)})[1:]
    assert line.startswith("sweep.margin=1 comes after the sweep began")
    record_plans(folder, [replace(made(3, "gru"), margin=1.0)])
    assert _in_its_sweep(folder, made(5, "gru")).margin == 1.0
    with pytest.raises(ConfigError, match=r"declared once .* has 1: sweep.margin=2; leave it out"):
        _in_its_sweep(folder, replace(made(3, "gru"), margin=2.0))
    grown = _in_its_sweep(folder, made(3, "gru", "rnn"))
    assert _in_its_sweep(folder, made(3, "rnn")).num_comparisons == 2
    (line,) = planned_text(folder, {"mnist": grown})[1:]
    assert line.startswith("the family has grown from 1 to 2 comparisons: this is a new plan")
