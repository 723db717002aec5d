"""What a number rests on: its pairs, the updates of the runs, and what ran beside them."""

from pathlib import Path

import pytest

from mnist_seq.report.columns import chosen
from mnist_seq.report.render.figures import all_figures
from mnist_seq.report.value import Report
from tests.report.sweeps import report_of, write_run


def test_a_difference_of_fewer_pairs_than_runs_says_how_many(tmp_path: Path) -> None:
    """14 runs and 8 pairs: the mean of the row and the difference rest on other runs."""
    for seed in range(4):
        write_run(tmp_path / "s", "lstm", seed=seed, accuracy=0.9 + seed / 1000)
        write_run(tmp_path / "s", "gru", seed=seed + 1, accuracy=0.91 + seed**2 / 1000)
    report = report_of(tmp_path / "s")
    (column,) = chosen(report, ["difference"])
    assert column.written(report.variants[1]) == "+0.97 (3 pairs)"
    gru = report.variants[1]
    assert gru.compared is not None
    assert gru.compared.pairing.endswith("over these 3 pairs the means are 91.17 and 90.20 %")


def test_unequal_updates_are_a_warning_and_early_stopping_is_none(tmp_path: Path) -> None:
    """At equal epochs a batch of 16 has four times the updates of a batch of 64."""
    for batch, updates in ((16, 225), (64, 57)):
        for seed in range(2):
            run = write_run(tmp_path / "a", seed=seed, training__batch_size=batch)
            run.write_result(**run.result() | {"steps": updates})
            run = write_run(tmp_path / "b", "lstm" if batch == 64 else "gru", seed=seed)
            run.write_result(**run.result() | {"steps": updates, "is_stopped_early": batch == 16})
    assert report_of(tmp_path / "a").warnings == (
        "unequal training budgets, updates a run: 225 of 16 examples (batch_size=16), 57 of 64 "
        "examples (batch_size=64)",
    )
    assert report_of(tmp_path / "b").warnings == ()


@pytest.mark.parametrize(
    ("changes", "says", "beside"),
    [({}, "", ""),
     ({"beside": None}, "is not known of 1 of 2 runs", "unknown"),
     ({"beside": {"at_once": 4}}, "runs trained 2 and 4 at once", "4 at once"),
     ({"beside": [], "kernel": 7}, "is not known of 1 of 2 runs", "unknown"),
     ({"stack": 8}, "in stacks of 1 and 8", "2 at once, stacks of 8")],
)  # fmt: skip
def test_seconds_are_shown_where_as_many_ran_side_by_side(
    tmp_path: Path, changes: dict[str, object], says: str, beside: str
) -> None:
    """Else a step's time stands by itself, with what trained beside it as far as it is known."""
    write_run(tmp_path / "s")
    write_run(tmp_path / "s", "gru").update_record(**changes)
    report = report_of(tmp_path / "s")
    assert says in report.seconds_differ
    assert bool(report.seconds_differ) == bool(says)
    assert bool(chosen(report, ["seconds"])) == (not says)
    steps = [column.written(report.variants[1]) for column in chosen(report, ["step_seconds"])]
    assert steps == ([f"{1000 * report.variants[1].seconds / 50:.3g} ({beside})"] if says else [])
    assert ("thresholds" in report.parts) == (not says)
    assert [len(figure.panels) for figure in all_figures(report) if figure.name == "costs"] == (
        [1 if says else 2]
    )
    assert any("so that only report.csv has them" in note for note in report.notes) == bool(says)


def test_seconds_of_unlike_kernels_are_said_to_be(tmp_path: Path) -> None:
    write_run(tmp_path / "s")
    write_run(tmp_path / "s", "mgu").update_record(kernel="steps")
    (figure,) = [f for f in all_figures(report_of(tmp_path / "s")) if f.name == "costs"]
    assert "By a module of torch, such as nn.LSTM: LSTM. Step by step: MGU." in figure.caption


def test_kernels_that_mix_are_said_to_and_their_seconds_are(tmp_path: Path) -> None:
    """Of cells where seconds are; a warning is for runs that could have one kernel."""
    write_run(tmp_path / "s", device={"kernel": "native"}).update_record(kernel="native")
    write_run(tmp_path / "s", "mgu").update_record(kernel="steps")
    write_run(tmp_path / "s", "lru", device={"kernel": "native"}).update_record(
        kernel="native layers"
    )
    report = report_of(tmp_path / "s")
    (figure,) = [f for f in all_figures(report) if f.name == "costs"]
    said = "By a compiled step: LSTM. By compiled layers: LRU. Step by step: MGU."
    assert said in figure.caption
    assert "kernels" not in " ".join(report.warnings)
    write_run(tmp_path / "s", seed=1)
    said = " ".join(report_of(tmp_path / "s").warnings)
    assert "2 kernels: native (1 run), torch (1 run)" in said


def test_state_and_multiply_adds_are_shown_where_variants_differ(tmp_path: Path) -> None:
    """Runs of versions that did not count them have neither columns nor panels."""

    def panels(report: Report) -> list[str]:
        (figure,) = [f for f in all_figures(report) if f.name == "costs"]
        return [panel.title for panel in figure.panels]

    names = ["state_size", "multiply_adds"]
    for cell, state in (("lstm", 128), ("gru", 64)):
        run = write_run(tmp_path / "s", cell)
        assert chosen(report_of(tmp_path / "s"), names) == []
        run.write_result(**run.result() | {"state_size": state, "multiply_adds": 17_792})
    report = report_of(tmp_path / "s")
    (column,) = chosen(report, names)
    assert [column.written(v) for v in report.variants] == ["128", "64"]
    assert panels(report) == ["against parameters", "against state", "against training time"]
    write_run(tmp_path / "s", "mgu")
    with_an_older = report_of(tmp_path / "s")
    assert panels(with_an_older) == ["against parameters", "against training time"]
    assert [v.state_size for v in with_an_older.variants[:2]] == [128, 64]
