"""Which stored curve is a run's, and what a folder's runs are beside theirs."""

from pathlib import Path

import pytest
from rich.console import Console

from mnist_seq import reproduce
from mnist_seq.config import ConfigError, members, plain
from mnist_seq.report.charts.page.axis import Axis
from mnist_seq.report.charts.page.multiples import Frame, Series, panel
from mnist_seq.report.sections.learning_curves import LearningCurves
from mnist_seq.runs import files
from mnist_seq.runs.folder import RunFolder
from mnist_seq.sweep.pool.pool import log_path
from mnist_seq.sweep.progress import _how_far
from mnist_seq.waypoints.of_folder import standing_of, stored_for, summary
from tests.conftest import Command, config_of
from tests.report.sweeps import report_of
from tests.waypoints.conftest import WORDS, rewrite


def test_a_run_finds_the_curve_of_its_own_steps_alone(three: list[RunFolder], mine: Path) -> None:
    """No claim is made of a run with other steps or data; seed, kernel and length may differ."""
    fingerprint = three[0].record()["data"]["fingerprint"]
    config = plain(config_of(*WORDS))

    def found(key: str, value: object) -> bool:
        group, _, name = key.rpartition(".")
        values = {**config, group: {**config.get(group, {}), name: value}}
        return stored_for(values if group else {**config, name: value}, fingerprint) is not None

    same: dict[str, object] = {
        "seed": 7, "arm": "a", "device.kernel": "native", "device.name": "cuda",
        "device.threads": 2, "training.epochs": 9, "training.updates": 7,
        "training.eval_every": 2, "training.early_stop": 3, "training.monitor_test": 10,
        "training.best": "valid/loss", "training.train_accuracy": True, "data.root": "elsewhere",
        "tracker.name": "wandb", "sweep.name": "b", "model.match": "params",
    }  # fmt: skip
    assert [key for key, value in same.items() if not found(key, value)] == []
    other: dict[str, object] = {
        "model.hidden": 5, "model.name": "gru", "optimizer.lr": 0.02, "schedule.name": "cosine",
        "data.limit": 255, "data.valid": 127, "training.batch_size": 32, "training.clip_norm": 1.0,
        "model.dropout": 0.1, "device.precision": "bf16", "training.order": "fixed",
        "data.label_noise": 0.1, "training.tbptt": 7, "model.new": 1,
    }  # fmt: skip
    assert [key for key, value in other.items() if found(key, value)] == []
    assert stored_for(config, "of other images") is None


@pytest.mark.parametrize(
    ("metric", "word"),
    [("train/loss", "training.eval_every=2"), ("monitor/accuracy", "training.monitor_test=10"),
     ("train_eval/accuracy", "training.eval_train=10")],
)  # fmt: skip
def test_a_metric_that_is_read_over_other_examples_is_another_one(
    three: list[RunFolder], mine: Path, metric: str, word: str
) -> None:
    """The mean of train/loss is over the steps since the last evaluation."""
    rewrite(mine, metric=metric)
    data = three[0].record()["data"]["fingerprint"]
    assert stored_for(plain(config_of(*WORDS)), data) is not None
    assert stored_for(plain(config_of(*WORDS, word)), data) is None


def test_a_file_without_a_config_speaks_of_the_same_variant_alone(
    three: list[RunFolder], mine: Path
) -> None:
    """Files that were stored before the config was are read as ever."""
    value = files.read_json(mine)
    files.write_json(mine, {k: v for k, v in value.items() if k not in ("config", "fingerprint")})
    assert stored_for(plain(config_of(*WORDS, "seed=7", "device.threads=2")), "") is not None
    assert stored_for(plain(config_of(*WORDS, "training.epochs=4")), "") is None


def test_two_seeds_or_a_damaged_file_make_no_claim_and_cost_no_run(
    three: list[RunFolder], mine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The interval of two is as wide as the metric. A damaged file costs one line."""
    config, data = plain(config_of(*WORDS)), three[0].record()["data"]["fingerprint"]
    rewrite(mine, n=2)
    assert stored_for(config, data) is None
    assert not caplog.records
    mine.write_text("{")
    assert stored_for(config, data) is stored_for(config, data) is None
    assert ["tiny.a.json must hold JSON" in each.message for each in caplog.records] == [True]


def test_a_folder_says_where_its_runs_are(three: list[RunFolder], mine: Path) -> None:
    """Counted in one line; those that are worse are named. Other runs are no part of it."""
    assert summary(three) == "waypoints: 3 of 3 runs within what stored seeds gave (tiny.a)"
    assert ", within what 3 seeds gave (tiny.a), " in _how_far(three[0])[0], "what status says"
    rewrite(mine, mean=[0.99] * 3, sd=[0.001] * 3)
    assert summary(three) == (
        "waypoints: 0 of 3 runs within what stored seeds gave (tiny.a), 3 worse: 0, 1, 2"
    )
    rewrite(mine, mean=[0.0] * 3, sd=[0.0] * 3)
    assert summary(three).endswith("0 of 3 runs within what stored seeds gave (tiny.a), 3 better")
    rewrite(mine, n=2)
    assert summary(three) == ""
    assert standing_of(RunFolder(mine)) is None, "no run's folder"


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["pool", "stack"])
def test_a_sweep_says_it_in_each_log_and_counts_it_at_its_end(
    mine: Path, train: Command, launcher: str
) -> None:
    """One line a sweep on the terminal, however many runs it has."""
    words = [*WORDS, "seed=7,8", f"hydra/launcher={launcher}", "sweep.name=s"]
    done = train("-m", "--config-dir", str(mine.parent.parent), *words)
    (line,) = [line for line in done.stdout.splitlines() if "waypoint" in line]
    assert line.endswith(" of 2 runs within what stored seeds gave (tiny.a)")
    sweep = mine.parent.parent.parent / "outputs" / "sweeps" / "s"
    for run in ("seed=7", "seed=8"):
        assert log_path(sweep / run).read_text().count("waypoint: at ") >= 2


def test_a_curve_of_ones_own_is_stored_by_a_command_and_found(
    three: list[RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the lab's experiments; what no run could be compared with is refused in one line."""
    mine, sweep = tmp_path / "mine", three[0].path.parent
    monkeypatch.setenv(members._FOLDERS, str(mine))
    given = {"names": ["store", "lab.tiny"], "seeds": 3, "out": "out", "sweep": str(sweep)}
    words = ["--config-dir", str(mine), "model.hidden=4"]
    assert reproduce.run({**given, "train": words}, Console(quiet=True))
    fingerprint = three[0].record()["data"]["fingerprint"]
    found = stored_for(plain(config_of(*WORDS)), fingerprint)
    assert found is not None
    assert (found.id, found.metric, found.curve.n) == ("lab.tiny", "test/accuracy", 3)
    assert standing_of(three[1]) is not None
    for change, says in (
        ({"names": ["store"]}, "store takes a name and the folder of its runs"),
        ({"sweep": "none"}, "store takes a name and the folder of its runs"),
        ({"sweep": str(tmp_path / "no")}, "sweep must be a folder that exists"),
        ({"names": ["store", "tiny"]}, "a name of two parts"),
        ({"names": ["store", "rows.lstm"]}, "no run of rows.lstm is in"),
        ({"names": ["store", "rows.lstn"]}, "did you mean rows.lstm"),
        ({"names": ["parity.lstm"]}, "sweep is of store alone"),
        ({"train": ["model.hidden=5"]}, "no run with model.hidden=5 is in"),
    ):
        with pytest.raises(ConfigError, match=says):
            reproduce.run({**given, "train": [], **change}, Console(quiet=True))
    monkeypatch.setenv(members._FOLDERS, "")
    with pytest.raises(ConfigError, match="add --config-dir="):
        reproduce.run({**given, "train": []}, Console(quiet=True))


def test_a_report_draws_the_stored_curve_behind_the_runs(
    three: list[RunFolder], mine: Path
) -> None:
    """What `line` says in words: the mean of the stored seeds, and where one more is expected."""
    report = report_of(three[0].path.parent)
    part = LearningCurves.of(report)
    assert part is not None
    (stored,) = part.stored.values()
    assert (stored.name, stored.num_seeds, [p.step for p in stored.points]) == (
        "tiny.a", 3, [4, 8, 12],
    )  # fmt: skip
    assert [p.value for p in stored.points] == pytest.approx(
        [p.value for p in part.means[0]], rel=1e-5, abs=1e-5
    )
    assert all(p.low < p.value < p.high for p in stored.points)
    section = LearningCurves()
    (drawing,) = section.drawn(report, part)
    assert drawing.body.count('class="mean s v"') == 1
    assert drawing.caption.endswith(
        "Dotted: mean of stored seeds (tiny.a, 3 seeds); pale: where one more seed is expected, "
        "95 % prediction interval."
    )
    for each in section.charts(report, part)[0].panels:
        assert len(each.chart.to_dict(validate=True)["layer"]) == 5
    frame, axis = Frame("updates", "%", str), Axis(0, 100)
    other, base = Series(part.means[0]), Series(part.means[0], (), stored.points)
    beside = panel("a", "", "", other, base, "b", Axis(4, 12), axis, frame, is_small=False)
    assert 'class="mean s b"' in beside, "that of the baseline, where the variant has none"
