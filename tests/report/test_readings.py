"""Verdicts follow the plan of a sweep: one look as planned, else e-values over planned seeds."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_seq.report.build import build
from mnist_seq.report.options import Options
from mnist_seq.report.read.collect import collect
from mnist_seq.report.read.planned import PlannedArm, SweepPlan, plans_of
from mnist_seq.report.render.table_csv import render
from mnist_seq.report.value import Compared, Report
from mnist_seq.report.wording import looks_text
from mnist_seq.runs.sweep_folder import SweepFolder
from mnist_seq.stats.sequential.looks import look
from mnist_seq.stats.sequential.outlook import seeds_for_call
from tests.report.sweeps import DEFAULTS, report_of, write_run

GAINS = {"lstm": 0.0, "gru": 0.01, "rnn": -0.002, "mgu": 0.0}


def name(cell: str, seed: int) -> str:
    return f"{cell}-{seed}"


def accuracy(cell: str, seed: int) -> float:
    noise = np.random.default_rng([seed, len(cell), ord(cell[0])]).normal(0, 0.003)
    return round(0.9 + GAINS[cell] + float(noise), 4)


def write(sweep: Path, cells: str, seeds: range, **states: str) -> None:
    for cell in cells.split():
        for seed in seeds:
            state = states.get(f"{cell}{seed}", "finished")
            if state != "absent":
                write_run(sweep, cell, seed=seed, name=name(cell, seed), state=state,
                          accuracy=accuracy(cell, seed), num_evaluations=1)  # fmt: skip


def plan(sweep: Path, cells: str, num: int, *, ended: int = 0, **changes: Any) -> None:
    arms = {
        cell: PlannedArm(cell, "lstm", {s: name(cell, s) for s in range(num)}, ended)
        for cell in cells.split()
    }
    asked = {"mode": "fixed", "metric": "test/accuracy", "margin": None, "first_seeds": num,
             "max_seeds": num, "arms": arms, **changes}  # fmt: skip
    SweepFolder(sweep).add_plan(SweepPlan(**asked).record())


def gru_of(report: Report) -> Compared:
    found = next(v.compared for v in report.variants if v.name == "gru")
    assert found is not None
    return found


def differences(*seeds: int) -> np.ndarray:
    return np.array([100 * accuracy("gru", s) - 100 * accuracy("lstm", s) for s in seeds])


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    path = tmp_path / "s"
    path.mkdir()
    return path


def test_at_its_planned_number_of_seeds_a_comparison_is_what_it_was_without_a_plan(
    sweep: Path,
) -> None:
    """No number of a sweep that ran as planned may change; only the sentence on looks does."""
    write(sweep, "lstm gru rnn", range(5), gru3="diverged", rnn4="failed")
    before = report_of(sweep)
    plan(sweep, "lstm gru rnn", 5)
    after = report_of(sweep)
    assert [v.word for v in after.variants] == [v.word for v in before.variants]
    for old, new in zip(before.variants, after.variants, strict=True):
        if old.compared and new.compared:
            assert new.compared.comparison == old.compared.comparison
            assert new.compared.verdict == old.compared.verdict
            assert (old.compared.kind, new.compared.kind) == ("one look", "planned")
    assert "holds for one look at this number of seeds" in before.rule_text
    assert "one look" not in after.rule_text
    assert (after.notes, after.warnings) == (before.notes, before.warnings) == ((), ())


def test_the_advice_on_seeds_is_that_of_the_e_value_which_will_read_them(sweep: Path) -> None:
    """Who adds the seeds that a t-test asks for, and is read by an e-value, would add too few."""
    write(sweep, "lstm mgu", range(5))
    before = report_of(sweep).variants[1].compared
    plan(sweep, "lstm mgu", 5)
    after = report_of(sweep).variants[1].compared
    assert before
    assert after
    assert (before.verdict.word, after.verdict.word) == ("not distinguishable",) * 2
    needed = seeds_for_call(after.comparison.effect_size, 1 / 0.05, at_least=6)
    assert needed is not None
    assert (before.verdict.needed_seeds or 0) < needed == after.verdict.needed_seeds
    assert f"needs about {needed - 5} more seeds" in after.verdict.text


def test_seeds_that_were_added_turn_the_verdict_to_an_e_value(sweep: Path) -> None:
    """Who adds three seeds because p was .06 gets the p of somebody who looked twice."""
    plan(sweep, "lstm gru rnn", 5)
    write(sweep, "lstm gru", range(8))
    write(sweep, "rnn", range(5))
    report = report_of(sweep)
    found, expected = gru_of(report), look(differences(*range(8)), scale=100.0)
    assert (found.kind, found.verdict.word) == ("anytime", "better")
    assert found.verdict.p == pytest.approx(expected.p, rel=1e-9)
    assert found.verdict.p_adjusted == pytest.approx(2 * expected.p, rel=1e-9)
    assert found.comparison.interval.low == pytest.approx(expected.interval.low, rel=1e-9)
    assert found.comparison.interval.kind == "confidence sequence"
    kinds = {v.name: v.compared.kind for v in report.variants if v.compared}
    assert kinds == {"gru": "anytime", "rnn": "planned"}
    assert "valid however often this was looked at" in report.rule_text
    assert "The 1 comparison at their planned number of seeds" in report.rule_text
    (row,) = [r for r in csv.DictReader(render(report).splitlines()) if r["variant"] == "gru"]
    assert (row["looks"], row["decided_at"]) == ("anytime", str(found.verdict.decided_at))


@pytest.mark.parametrize("state", ["absent", "interrupted"])
def test_only_the_prefix_without_a_gap_counts_while_runs_are_missing(
    sweep: Path, state: str
) -> None:
    """A look at a sweep that runs: which runs end early may depend on their results."""
    plan(sweep, "lstm gru", 8)
    write(sweep, "lstm gru", range(8), gru2="diverged", lstm6=state)
    found = gru_of(report_of(sweep))
    assert found.kind == "anytime"
    assert found.comparison.n == 5
    assert found.verdict.p == pytest.approx(
        look(differences(0, 1, 3, 4, 5), scale=100.0).p, rel=1e-9
    )
    assert "n=5 of 6 pairs (seed 2: variant diverged)" in found.pairing
    assert "1 later pair waits for seed 6" in found.pairing


def test_an_arm_that_was_given_up_says_why(sweep: Path) -> None:
    """A reader asks why one arm has 6 seeds and another one 20."""
    plan(sweep, "lstm rnn", 20, mode="anytime", first_seeds=5)
    write(sweep, "lstm rnn", range(6))
    SweepFolder(sweep).note_decision("rnn", "out of reach", seeds=6, max_seeds=20, chance=0.03)
    (found,) = [v.compared for v in report_of(sweep).variants if v.compared]
    assert found.kind == "anytime"
    assert "given up at 6 seeds: chance of a verdict within 20 seeds 3.0%" in found.pairing
    SweepFolder(sweep).note_decision("rnn", "open", seeds=6, max_seeds=30)
    (found,) = [v.compared for v in report_of(sweep).variants if v.compared]
    assert "given up" not in found.pairing


def test_an_arm_that_was_given_up_and_is_decided_since_says_no_more_of_it(sweep: Path) -> None:
    """Runs that were still at work count, and may decide what the sweep had given up."""
    plan(sweep, "lstm gru", 20, mode="anytime", first_seeds=5)
    write(sweep, "lstm gru", range(8))
    SweepFolder(sweep).note_decision("gru", "out of reach", seeds=6, max_seeds=20, chance=0.03)
    found = gru_of(report_of(sweep))
    assert found.verdict.word == "better"
    assert "given up" not in found.pairing


def test_a_run_that_failed_before_it_began_does_not_stop_the_order(sweep: Path) -> None:
    """Killed while it was loaded, it has no run.json; it has ended nevertheless."""
    plan(sweep, "lstm gru", 20, mode="anytime", first_seeds=5)
    write(sweep, "lstm gru", range(6), gru2="absent")
    assert gru_of(report_of(sweep)).comparison.n == 2
    early = SweepFolder(sweep).run(name("gru", 2))
    early.path.mkdir()
    early.write_error("the worker was killed")
    found = gru_of(report_of(sweep))
    assert (found.comparison.n, found.kind) == (5, "anytime")
    assert "seed 2: variant has no run" in found.pairing


def test_the_seeds_count_in_planned_order(sweep: Path) -> None:
    """1 / (largest e so far) depends on the order, so the plan and not the reader chooses it."""
    backwards = {s: name("gru", s) for s in reversed(range(6))}
    arms = {
        "lstm": PlannedArm("lstm", "lstm", {s: name("lstm", s) for s in backwards}),
        "gru": PlannedArm("gru", "lstm", backwards),
    }
    plan(sweep, "", 6, mode="anytime", arms=arms)
    write(sweep, "lstm gru", range(6))
    found = gru_of(report_of(sweep))
    expected = look(differences(*backwards), scale=100.0)
    assert found.kind == "anytime"
    assert found.verdict.p == pytest.approx(expected.p, rel=1e-9)


def test_planned_comparisons_without_seeds_count_and_a_grown_family_is_named(sweep: Path) -> None:
    """Neither an early look nor an arm that comes later may make the correction too small."""
    plan(sweep, "lstm gru rnn", 8)
    write(sweep, "lstm gru", range(6))
    (early,) = [v.verdict for v in (gru_of(report_of(sweep)),)]
    assert early.p_adjusted == pytest.approx(2 * early.p)
    plan(sweep, "lstm gru rnn mgu", 8)
    write(sweep, "rnn", range(6))
    write(sweep, "mgu", range(6))
    report = report_of(sweep)
    assert gru_of(report).verdict.p_adjusted == pytest.approx(3 * early.p)
    assert (
        "the family has grown since the sweep began, from 2 to 3 comparisons" in report.warnings[0]
    )


def test_the_margin_is_that_of_the_plan_and_another_rule_is_named(sweep: Path) -> None:
    """A margin that is declared after the results shows nothing."""
    plan(sweep, "lstm rnn", 6, margin=2.0)
    write(sweep, "lstm rnn", range(6))
    report = report_of(sweep)
    assert report.rule.margin == 2.0
    assert report.variants[1].word == "equivalent"
    assert report.notes == report.warnings == ()
    asked = report_of(sweep, margin=5.0, test="permutation", metric="test/loss")
    assert asked.rule.margin == 5.0
    for text in ("metric=test/accuracy", "test=t,", "margin=2.0"):
        assert any(text in said and "not declared before" in said for said in asked.warnings)
    flipped = report_of(sweep, test="permutation", margin=1.0, where="seed=0,1,2,3,4")
    for text in ("of any symmetric shape", "sequence, for differences close to normal,",
                 "less than 1 point;"):  # fmt: skip
        assert text in flipped.rule_text
    assert "of any symmetric shape" in looks_text(flipped.rule, flipped.variants)


def test_a_plan_that_was_made_after_the_runs_or_of_one_seed_is_none(sweep: Path) -> None:
    """A sweep of an older version that is continued; and a first try with one seed."""
    plan(sweep, "lstm gru", 5, ended=5)
    write(sweep, "lstm gru", range(5))
    assert gru_of(report_of(sweep)).kind == "one look"
    other = sweep.parent / "other"
    other.mkdir()
    plan(other, "lstm gru", 1)
    plan(other, "lstm gru", 5, ended=1)
    write(other, "lstm gru", range(5))
    assert gru_of(report_of(other)).kind == "planned"
    older = sweep.parent / "older"  # that goes on with sweep.until=decided
    older.mkdir()
    plan(older, "lstm gru", 20, mode="anytime", first_seeds=5, ended=5)
    write(older, "lstm gru", range(5))
    assert gru_of(report_of(older)).kind == "anytime"


@pytest.mark.parametrize("text", ["{", '{"plans": [{"rule": 99}]}', '{"plans": 3}'])
def test_a_damaged_plan_is_named_and_its_verdicts_hold_at_any_number_of_looks(
    sweep: Path, text: str
) -> None:
    """Neither refused nor trusted: an e-value holds whatever the plan was."""
    write(sweep, "lstm gru", range(5))
    (sweep / "plan.json").write_text(text)
    report = build(collect([sweep]), Options(), defaults=DEFAULTS)
    assert gru_of(report).kind == "anytime"
    (note,) = report.warnings
    assert "plan.json" in note
    assert note.endswith("its comparisons are read by e-values")
    with pytest.raises(ValueError, match=r"plan\.json"):
        plans_of(sweep)


def test_a_sweep_that_lost_its_plan_and_stopped_by_itself_is_read_by_e_values(sweep: Path) -> None:
    """Its number of seeds was chosen by its results, which decisions.jsonl shows."""
    write(sweep, "lstm gru", range(5))
    SweepFolder(sweep).note_decision("gru", "better", seeds=5, max_seeds=20)
    report = report_of(sweep)
    assert gru_of(report).kind == "anytime"
    assert "lacks plan.json; its comparisons are read by e-values" in report.warnings[0]


def test_plans_are_read_as_they_were_written_and_never_replaced(sweep: Path) -> None:
    """The first plan is what a verdict rests on, also after ten changes."""
    plan(sweep, "lstm gru", 5, margin=0.5, commit="abc")
    plan(sweep, "lstm gru rnn", 9, mode="anytime", first_seeds=4, ended=5)
    first, second = plans_of(sweep)
    assert (first.mode, first.margin, first.commit) == ("fixed", 0.5, "abc")
    assert (second.mode, second.first_seeds, second.max_seeds) == ("anytime", 4, 9)
    assert (first.num_comparisons, second.num_comparisons) == (1, 2)
    assert second.arms["gru"].runs == {s: name("gru", s) for s in range(9)}
    assert second.arms["gru"].ended == 5


def test_a_family_does_not_shrink_because_some_variants_are_complete(sweep: Path) -> None:
    """Runs go variant by variant: the first at its planned seeds had no correction for the rest."""
    plan(sweep, "lstm gru rnn mgu", 5)
    write(sweep, "lstm gru", range(5))
    alone = report_of(sweep)
    p = gru_of(alone).verdict.p
    assert gru_of(alone).kind == "planned"
    assert gru_of(alone).verdict.p_adjusted == pytest.approx(3 * p)
    assert alone.num_comparisons == gru_of(alone).family_size == 3
    assert "p is corrected over 3 comparisons, as planned, and 1 are here" in alone.notes
    every = report_of(sweep, pairs="all")  # 6 pairs of 4 variants
    assert every.num_comparisons == 6
    write(sweep, "rnn mgu", range(5), **{f"mgu{seed}": "diverged" for seed in range(5)})
    whole = report_of(sweep)  # nothing can come of the mgu any more
    assert gru_of(whole).verdict.p_adjusted == pytest.approx(2 * p)
    assert whole.notes == ()
    chosen = report_of(sweep, where="model=lstm,gru")
    assert gru_of(chosen).verdict.p_adjusted == pytest.approx(3 * p)


def test_a_margin_that_a_later_command_declares_is_read_and_named(sweep: Path) -> None:
    """The sweep ended variants as equivalent by it, and its own table knew nothing of it."""
    plan(sweep, "lstm rnn", 6)
    plan(sweep, "lstm rnn", 6, margin=2.0, ended=6)
    plan(sweep, "lstm rnn", 6, margin=3.0, ended=6)
    write(sweep, "lstm rnn", range(6))
    report = report_of(sweep)
    assert (report.rule.margin, report.variants[1].word) == (2.0, "equivalent")
    assert any("margin=none, and this reading has margin=2.0" in note for note in report.warnings)


def test_seeds_that_a_later_plan_gives_to_one_side_are_a_second_look(sweep: Path) -> None:
    """Both looks were read by a t-test "at the planned number of seeds": at 4 and then at 8."""
    plan(sweep, "gru", 8)
    plan(sweep, "lstm", 4)
    write(sweep, "gru", range(8))
    write(sweep, "lstm", range(4))
    assert gru_of(report_of(sweep)).kind == "planned"
    plan(sweep, "lstm", 8, ended=4)
    write(sweep, "lstm", range(4, 8))
    assert gru_of(report_of(sweep)).kind == "anytime"
    other = sweep.parent / "other"
    other.mkdir()
    plan(other, "lstm rnn", 3)
    plan(other, "lstm rnn gru", 8, ended=0)
    write(other, "lstm gru", range(8))
    assert gru_of(report_of(other)).kind == "planned"
