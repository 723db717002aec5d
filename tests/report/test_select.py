"""A comparison never mixes what cannot be compared, and never counts one run twice."""

from pathlib import Path
from typing import Any

import pytest

from mnist_seq.report.read.errors import CannotCompare
from tests.report.sweeps import report_of, write_run


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("data.sequence", {"data__sequence": "columns"}),
        ("data.chunk", {"data__chunk": 4}),
        ("data.permutation", {"data__permutation": "bit_reversal"}),
        ("data.label_noise", {"data__label_noise": 0.2}),
        ("data.valid", {"data__valid": 1000}),
        ("data.limit", {"data__limit": 100}),
        ("training.epochs", {"training__epochs": 2}),
        ("data.fingerprint", {"data": {"fingerprint": "e" * 64}}),
        ("data.permutation_hash", {"data": {"permutation_hash": "p" * 64}}),
        ("data.num_train", {"data": {"num_train": 7}}),
        ("data.split", {"data": {"split": "5" * 64}}),
    ],
)
def test_mixtures_are_refused_by_the_key(tmp_path: Path, key: str, change: dict[str, Any]) -> None:
    """A difference between tasks or budgets is no difference between cells."""
    write_run(tmp_path / "s", "lstm", seed=0)
    write_run(tmp_path / "s", "gru", seed=0, **change)
    with pytest.raises(CannotCompare, match=rf"{key} differs.*where='{key}=") as refused:
        report_of(tmp_path / "s")
    assert "\n" not in str(refused.value)


def test_where_parts_what_may_not_be_mixed(tmp_path: Path) -> None:
    """Whoever sweeps budgets on purpose compares within each."""
    for epochs in (1, 2):
        for cell in ("lstm", "gru"):
            for seed in range(3):
                write_run(tmp_path / "s", cell, seed=seed, accuracy=0.9 + seed * epochs / 100,
                          training__epochs=epochs)  # fmt: skip
    report = report_of(tmp_path / "s", where="training.epochs=2")
    assert sum(v.n for v in report.variants) == 6
    assert report.notes == ("only runs with training.epochs=2: 6 of 12",)
    assert (
        sum(v.n for v in report_of(tmp_path / "s", where="training.epochs=2 seed=0,1").variants)
        == 4
    )


@pytest.mark.parametrize("where", ["model.hiden=3", "training.epochs=9", "nonsense", "model="])
def test_a_filter_that_means_nothing_is_refused(grid: Path, where: str) -> None:
    with pytest.raises(CannotCompare, match="where"):
        report_of(grid, where=where)


def test_infinity_is_typed_as_it_is_shown(tmp_path: Path) -> None:
    """JSON's word for it is none that Hydra reads."""
    for clip in (1.0, "Infinity"):
        for seed in range(2):
            write_run(
                tmp_path / "s", seed=seed, accuracy=0.9 + seed / 100, training__clip_norm=clip
            )
    names = {"clip_norm=1", "clip_norm=inf"}
    report = report_of(tmp_path / "s", baseline="training.clip_norm=inf")
    assert {v.name for v in report.variants} == names
    assert [v.settings["training.clip_norm"] for v in report.variants if v.is_baseline] == ["inf"]
    for text in ("inf", "Infinity", "+inf"):
        (variant,) = report_of(tmp_path / "s", where=f"training.clip_norm={text}").variants
        assert variant.n == 2
    with pytest.raises(CannotCompare, match="none"):
        report_of(tmp_path / "s", where="training.clip_norm=-inf")


def test_zero_of_either_sign_is_one_value(tmp_path: Path) -> None:
    """Their hashes differ: two seeds would pass for four."""
    for zero in (0.0, -0.0):
        for seed in range(2):
            write_run(tmp_path / "s", seed=seed, accuracy=0.9 + seed / 100,
                      optimizer__weight_decay=zero)  # fmt: skip
    report = report_of(tmp_path / "s")
    assert [(v.n, v.seeds) for v in report.variants] == [(2, (0, 1))]
    assert report.notes[0].startswith("2 runs are there twice")
    write_run(tmp_path / "s", seed=7, accuracy=0.9, optimizer__weight_decay=0.0)
    write_run(tmp_path / "s", seed=7, accuracy=0.8, optimizer__weight_decay=-0.0)
    with pytest.raises(CannotCompare, match="equal config and seed must give one result"):
        report_of(tmp_path / "s")


def test_a_switch_and_a_number_are_two_settings(tmp_path: Path) -> None:
    """1 and True are equal to Python."""
    for value in (1, True):
        write_run(tmp_path / "s", optimizer__amsgrad=value)
    assert [v.n for v in report_of(tmp_path / "s").variants] == [1, 1]


def test_the_same_run_in_two_sweeps_counts_once(tmp_path: Path) -> None:
    """It is one measurement: counted twice, it would pass for a replicate."""
    for sweep in ("a", "b"):
        for seed in range(3):
            write_run(tmp_path / sweep, "lstm", seed=seed, accuracy=0.9 + seed / 100)
    write_run(tmp_path / "b", "gru", seed=0)
    report = report_of(tmp_path / "a", tmp_path / "b")
    assert [(v.name, v.n) for v in report.variants] == [("lstm", 3), ("gru", 1)]
    (note,) = report.notes
    assert note.startswith("3 runs are there twice (equal config and seed), such as ")
    assert note.count(str(tmp_path)) == 2


def test_one_config_with_two_results_is_refused_unless_the_first_is_asked_for(
    tmp_path: Path,
) -> None:
    """A free choice between two results is a choice that can be made to please."""
    write_run(tmp_path / "a", "lstm", accuracy=0.9)
    write_run(tmp_path / "b", "lstm", accuracy=0.8)
    with pytest.raises(CannotCompare, match="duplicates=first"):
        report_of(tmp_path / "a", tmp_path / "b")
    report = report_of(tmp_path / "b", tmp_path / "a", duplicates="first")
    assert report.variants[0].mean == pytest.approx(80)


def test_a_run_that_ended_is_kept_before_one_that_failed(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lstm", state="failed")
    write_run(tmp_path / "b", "lstm", accuracy=0.9)
    (variant,) = report_of(tmp_path / "a", tmp_path / "b").variants
    assert (variant.n, variant.failed) == (1, 0)
