"""pairs=all: each variant with each other, and p corrected over all of them."""

from pathlib import Path

import numpy as np
import pytest

from mnist_seq.report.analyse import judging
from mnist_seq.report.columns import chosen
from mnist_seq.report.read.errors import CannotCompare
from mnist_seq.report.render import markdown
from mnist_seq.report.sections.every_pair import EveryPair
from mnist_seq.stats import adjust, paired_comparison
from tests.report.sweeps import report_of, write_run
from tests.report.test_build import values
from tests.report.test_renderings import printed


def test_each_pair_is_there_once_with_holm_over_all(grid: Path) -> None:
    """Two arms that both beat the LSTM are compared with each other too."""
    report = report_of(grid, where="model.hidden=64", pairs="all")
    part = EveryPair.of(report)
    assert part is not None
    names = [(report.variants[p.a].name, report.variants[p.b].name) for p in part.pairs]
    assert names == [("gru", "lstm"), ("rnn", "lstm"), ("rnn", "gru")]
    p = np.array([paired_comparison(values(report, a), values(report, b)).p_t for a, b in names])
    found = [pair.verdict.p_adjusted for pair in part.pairs]
    assert found == pytest.approx(adjust(p, "holm").tolist())
    assert [pair.verdict.word for pair in part.pairs] == ["better", "worse", "worse"]
    with_lstm = [v.compared.verdict.p_adjusted for v in report.variants if v.compared]
    assert with_lstm == found[:2]
    for text in (printed(report, 200), markdown.render(report)):
        assert "Every pair" in text
        assert "corrected over these 3 comparisons" in text
    said = "of all 3 pairs, 3 differ (GRU from LSTM; RNN from LSTM; RNN from GRU)"
    assert report.besides == (said,)
    (detectable,) = chosen(report, ["detectable_corrected"])
    assert detectable.about.endswith("0.05 / 3")
    assert EveryPair.of(report_of(grid)) is None


def test_a_pair_without_seeds_is_a_row_too_and_too_many_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(2):
        for cell in ("lstm", "gru"):
            write_run(tmp_path / "s", cell, seed=seed, accuracy=0.9 + seed / 100)
    write_run(tmp_path / "s", "rnn")
    report = report_of(tmp_path / "s", pairs="all")
    part = EveryPair.of(report)
    assert part is not None
    (table,) = EveryPair().tables(report, part)
    assert [row[-1] for row in table.rows] == [
        "undecided", "too few seeds", "too few seeds"
    ]  # fmt: skip
    monkeypatch.setattr(judging, "MOST_PAIRS", 2)
    with pytest.raises(CannotCompare, match="at most 2 pairs, and 3 variants have 3; name fewer"):
        report_of(tmp_path / "s", pairs="all")
