"""What a sweep ends with."""

import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from mnist_seq import compose
from mnist_seq.config import plain
from mnist_seq.report.read.asked import Asked
from mnist_seq.report.render.terminal import print_table
from mnist_seq.runs import provenance
from mnist_seq.sweep.plan.estimate import Speed, measured_speeds
from mnist_seq.sweep.summary import with_seeds
from tests.report.sweeps import report_of, write_run


def test_one_seed_each_ends_with_differences_and_the_command_with_seeds(tmp_path: Path) -> None:
    """The first command of the README: it must have a result, and say what would give a verdict."""
    for cell, accuracy in (("lstm", 0.95), ("gru", 0.96)):
        write_run(tmp_path / "s", cell, accuracy=accuracy)
    asked = Asked(tmp_path / "s", {"overrides": {"task": ["model=lstm,gru"], "hydra": []}})
    report = dataclasses.replace(report_of(tmp_path / "s"), asked=asked)
    console = Console(width=80, file=io.StringIO(), color_system=None)
    print_table(report, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "+1.00  one seed" in text
    assert "One seed each: no interval and no verdict." in text
    assert "model=lstm,gru 'seed=range(5)' sweep.name=s" in with_seeds(report)
    write_run(tmp_path / "s", "gru", seed=1)
    assert with_seeds(report_of(tmp_path / "s")) == ""


def test_seeds_alone_end_with_mean_sd_and_interval(tmp_path: Path) -> None:
    for seed, accuracy in enumerate((0.94, 0.95, 0.96)):
        write_run(tmp_path / "s", seed=seed, accuracy=accuracy)
    console = Console(width=80, file=io.StringIO(), color_system=None)
    print_table(report_of(tmp_path / "s"), console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    (row,) = [line.split() for line in lines if line.startswith("LSTM  ")]
    assert row[1:] == ["3", "95.0", "1.0", "[92.5,", "97.5]", *row[6:]]


def test_the_start_of_a_short_run_is_no_time_of_its_steps(tmp_path: Path) -> None:
    """A run of 12 steps that took 8 s on a cluster was counted as 0.7 s a step: "54 min each"."""
    run = write_run(tmp_path / "s")  # 50 steps; an evaluation every 10, each 0.5 s later
    run.update_record(host=provenance.host(), config=plain(compose([])))
    run.write_result(**{**run.result(), "seconds": 8.0})
    (speed,) = measured_speeds([tmp_path / "s"]).values()
    assert speed == pytest.approx(Speed(start_s=5.5, step_s=0.05))
    run.write_result(**{**run.result(), "seconds": 800.0})  # a long one: its start is little
    (speed,) = measured_speeds([tmp_path / "s"]).values()
    assert speed == pytest.approx(Speed(start_s=0.0, step_s=16.0))
