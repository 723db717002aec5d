"""The section with a metric against the length of sequences."""

from pathlib import Path

import pytest

from mnist_seq.report import wording
from mnist_seq.report.sections.lengths import Lengths, Probes
from mnist_seq.report.value import Report
from tests.report.sweeps import report_of, write_run
from tests.report.test_tasks import TARGETS, VALUES

READ = {
    "lstm": ((0.1, 0.3), (0.2, 0.7)),
    "gru": ((0.05, 0.06), (0.05, 0.08)),
}  # by seed: at 100, at 200


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Two cells of two seeds, read at two further lengths; one run that was read at none."""
    folder = tmp_path_factory.mktemp("sweeps") / "probed"
    for cell, seeds in READ.items():
        for seed, (at_100, at_200) in enumerate(seeds):
            write_one(folder, cell, seed, {"test@200/mse": at_200, "test@100/mse": at_100})
    write_one(folder, "rnn", 0, {})
    return report_of(folder)


def write_one(folder: Path, cell: str, seed: int, probed: dict[str, float]) -> None:
    run = write_run(folder, cell, seed=seed, data__length=50)
    probes = {"100": {"mse": 0.5}, "200": {"mse": 0.25}, "damaged": None}
    run.update_record(task={**VALUES, "probes": probes})
    run.write_predictions(TARGETS, TARGETS + 0.1)
    metrics = {"test/mse": 0.04 + seed / 100, "valid/mse": 0.1, "test@100/mae": 9.0, **probed}
    run.write_result(**run.result() | {"metrics": metrics})


def test_it_has_the_mean_and_the_worst_seed_at_each_length(report: Report) -> None:
    """One seed that forgets beyond its training length is what a mean hides."""
    part = Lengths.of(report)
    assert isinstance(part, Probes)
    (table,) = Lengths().tables(report, part)
    assert table.header == ("variant", "n", "50", "100", "200")
    assert {row[0]: row[1:] for row in table.rows} == {
        "LSTM": ("2", "0.0450 (0.0500)", "0.1500 (0.2000)", "0.5000 (0.7000)"),
        "GRU": ("2", "0.0450 (0.0500)", "0.0500 (0.0500)", "0.0700 (0.0800)"),
        "a guess": (wording.NONE, f"{VALUES['guess']['mse']:.4f}", "0.5000", "0.2500"),
    }
    assert "50 is the length of the test set" in table.caption
    assert [p.low for p in part.variants[0].points] == [0.04, 0.1, 0.3]


def test_it_is_absent_where_nothing_else_was_read(tmp_path: Path) -> None:
    """The length of the test set alone is no comparison of lengths."""
    write_one(tmp_path / "plain", "lstm", 0, {})
    assert Lengths.of(report_of(tmp_path / "plain")) is None


def test_other_lengths_choose_nothing(report: Report) -> None:
    """The metric of the verdict is that of the test set."""
    assert report.metric.name == "test/mse"
