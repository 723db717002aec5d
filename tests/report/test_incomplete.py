"""An incomplete sweep shows its values, and is judged only where that is asked for."""

from pathlib import Path

import pytest

from mnist_seq.report.columns import columns
from mnist_seq.report.read.planned import PlannedArm, SweepPlan
from mnist_seq.report.render import markdown, table_csv
from mnist_seq.report.texts.notices import notices
from mnist_seq.runs.sweep_folder import SweepFolder
from tests.report.sweeps import report_of, write_run
from tests.report.test_renderings import printed
from tests.report.test_searches import searched


def write_three(sweep: Path, state: str) -> Path:
    """Three pairs of LSTM and GRU that are far apart, and the fourth GRU in another state."""
    for seed in range(4):
        write_run(sweep, "lstm", seed=seed, accuracy=0.9 + seed / 1000)
        is_last = seed == 3
        if not is_last or state != "absent":
            write_run(sweep, "gru", seed=seed, accuracy=0.95 + seed / 900,
                      state=state if is_last else "finished")  # fmt: skip
    ledger = SweepFolder(sweep)
    ledger.note("planned", "of an earlier command, which named it otherwise")
    ledger.note("started", "some run")
    for cell in ("lstm", "gru"):
        for seed in range(4):
            ledger.note("planned", f"model={cell},model.hidden=64,seed={seed}")
    ledger.note("started", "model=lstm,model.hidden=64,seed=0")
    return sweep


@pytest.mark.parametrize("state", ["interrupted", "absent"])
def test_an_incomplete_sweep_has_values_and_no_p(tmp_path: Path, state: str) -> None:
    """A look before the end is a look more: it is taken where somebody asks for it."""
    sweep = write_three(tmp_path / "s", state)
    report = report_of(sweep)
    gru = report.variants[1]
    assert (gru.word, gru.n) == ("so far", 3)
    assert gru.verdict == (
        "so far, at n=3: difference 5.01 points, and no p, since 1 of 8 runs are not done"
    )
    assert report.headline.startswith(
        "So far: 1 of 8 runs is not done. No verdict yet on 1 variant; the largest difference"
    )
    values = {c.name: c.get(gru) for c in columns(report)}
    assert [values[name] for name in values if name.startswith("p_")].count(None) >= 1
    for name in ("p", "p_adjusted", "p_permutation", "p_wilcoxon", "p_diverged", "needed_seeds"):
        assert values[name] is None or values[name] != values[name], name
    assert values["difference"] == pytest.approx(gru.mean - 90.1)
    for text in (printed(report, 200), markdown.render(report)):
        assert "so p is withheld" in text
    assert ",so far," in table_csv.render(report)
    judged = report_of(sweep, allow_incomplete=True)
    assert judged.variants[1].word == "better"
    assert judged.cautions[0] == (
        "these are verdicts on an incomplete sweep: 1 of 8 runs are not done"
    )


@pytest.mark.parametrize("state", ["finished", "diverged", "failed"])
def test_runs_that_ended_leave_a_sweep_complete(tmp_path: Path, state: str) -> None:
    report = report_of(write_three(tmp_path / "s", state))
    assert report.variants[1].word != "so far"
    assert not any("not done" in text for text in report.cautions)


def test_a_sweep_that_has_hardly_begun_needs_no_other_seeds(tmp_path: Path) -> None:
    """The runs are planned: "add seeds" would be the wrong advice."""
    write_run(tmp_path / "s", "lstm", seed=0)
    write_run(tmp_path / "s", "gru", seed=0, state="interrupted")
    report = report_of(tmp_path / "s")
    said = "Nothing is compared: it takes 2 seeds on both sides."
    assert report.headline == (
        f"So far: 1 of 2 runs is not done. LSTM: 95.00\u202f% test accuracy with 1 seed. {said}"
    )
    assert notices(report)[0].title == "1 of 2 runs is not done."


def test_a_folder_whose_run_never_began_is_said_to_be_one(tmp_path: Path) -> None:
    """Ctrl-C while a run starts: the folder is ours."""
    write_run(tmp_path / "s", "gru", seed=0)
    write_run(tmp_path / "s", "gru", seed=1, state="interrupted")
    (tmp_path / "s" / "model=lstm").mkdir()
    (tmp_path / "s" / "model=lstm" / "log.txt").touch()
    report = report_of(tmp_path / "s")
    assert [left.reason for left in report.skipped] == ["stopped before its run began"]


def test_what_a_search_pruned_is_not_missing(tmp_path: Path) -> None:
    sweep = searched(write_three(tmp_path / "s", "interrupted"), "random")
    assert report_of(sweep).variants[1].word == "better"


def test_a_part_that_is_done_can_be_judged(tmp_path: Path) -> None:
    """Which of the runs that have not begun a filter means is not known, so none are counted."""
    sweep = write_three(tmp_path / "s", "absent")
    assert report_of(sweep, where="seed=0,1,2").variants[1].word == "better"


def test_a_task_that_is_complete_does_not_wait_for_another(tmp_path: Path) -> None:
    """Runs that have not begun belong to the task whose plan names them."""
    sweep = write_three(tmp_path / "s", "finished")
    names = [f"model={cell},model.hidden=64,seed={s}" for cell in ("lstm", "gru") for s in range(4)]
    for whose in ("", "data=adding,"):
        arm = PlannedArm("lstm", "lstm", {s: f"{whose}{name}" for s, name in enumerate(names)})
        SweepFolder(sweep).add_plan(
            SweepPlan("fixed", "test/accuracy", None, 4, 4, {"lstm": arm}).record()
        )
    for name in names:
        SweepFolder(sweep).note("planned", name)
        SweepFolder(sweep).note("planned", f"data=adding,{name}")
    assert report_of(sweep).undone == ""
