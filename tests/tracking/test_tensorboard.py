"""Event files of `tracker=tensorboard`, read back by TensorBoard's own code."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from mnist_seq.config import ConfigError
from mnist_seq.notebook import compose, train_run
from mnist_seq.runs.errors import Interrupted
from mnist_seq.runs.events import Ended, Listener, Row, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.tracking import open_tracker
from tests.conftest import Command, clean_env

TINY = ["tracker=tensorboard", "data=mnist_5k", "data.limit=400", "model.hidden=4",
        "training.batch_size=50", "training.epochs=2", "training.eval_every=4"]  # fmt: skip
PNG = b"\x89PNG"


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return events


def points(events: EventAccumulator, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events.Scalars(name)]


def check_equal(events: EventAccumulator, folder: RunFolder) -> None:
    """Each value of metrics.jsonl is one point, at its step."""
    rows = folder.metrics()
    for name in set(rows[0]) - {"step", "epoch", "seconds"}:
        shown = points(events, name)
        assert [step for step, _ in shown] == [row["step"] for row in rows]
        assert [value for _, value in shown] == pytest.approx([row[name] for row in rows])


def hparams(events: EventAccumulator, name: str) -> Any:
    content = events.SummaryMetadata(f"_hparams_/{name}").plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("run")
    train_run(compose(*TINY, "training.diagnostics=all"), folder)
    return RunFolder(folder)


def test_a_run_is_shown_as_its_folder_has_it(run: RunFolder) -> None:
    """Scalars over the step, and the final metrics of the test set at the last one."""
    events = read(run.path / "tensorboard")
    check_equal(events, run)
    last, result = run.metrics()[-1]["step"], run.result()
    for name in ("test/accuracy", "test/loss"):
        assert points(events, name) == [(last, pytest.approx(result["metrics"][name]))]
    best = result["best"]["valid/accuracy"]
    assert points(events, "best/valid/accuracy") == [(last, pytest.approx(best))]


def test_the_hparams_table_has_the_config_and_the_end(run: RunFolder) -> None:
    """What differs between the runs of a sweep can be sorted and coloured there."""
    events = read(run.path / "tensorboard")
    values = hparams(events, "session_start_info").session_start_info.hparams
    assert values["model.name"].string_value == "lstm"
    assert values["model.hidden"].number_value == 4
    assert values["seed"].number_value == 0
    assert values["model.bidirectional"].bool_value is False
    assert not [name for name in values if name.startswith(("tracker.", "sweep.", "data.root"))]
    assert hparams(events, "session_end_info").session_end_info.status == 1  # success


def test_pictures_show_samples_confusion_and_gradients(run: RunFolder) -> None:
    """What W&B gets as tables and charts."""
    events = read(run.path / "tensorboard")
    names = events.Tags()["images"]
    assert set(names) == {"test/samples", "test/confusion", "gradient/along the sequence"}
    for name in names:
        (image,) = events.Images(name)
        assert image.encoded_image_string.startswith(PNG)
        assert min(image.width, image.height) > 50


def test_pictures_can_be_left_out(tmp_path: Path) -> None:
    """Each takes some kilobytes of a run's folder."""
    train_run(compose(*TINY, "tracker.pictures=false"), tmp_path)
    assert read(tmp_path / "tensorboard").Tags()["images"] == []


class StopAt(Listener):
    def evaluated(self, row: Row) -> None:
        if row["step"] >= 8:
            signal.raise_signal(signal.SIGTERM)


def test_a_resumed_run_has_each_point_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of a process that was killed, and of a start without a tracker."""
    config = compose(*TINY, "training.checkpoint_every=6")
    with monkeypatch.context() as patch:
        patch.setattr("mnist_seq.runs.events.WATCHERS", [StopAt()])
        with pytest.raises(Interrupted):
            train_run(compose(*TINY, "training.checkpoint_every=6", "tracker=none"), tmp_path)
    folder = RunFolder(tmp_path)
    tracker = open_tracker(config, folder)  # as of a process that is killed a step later
    tracker.started(Started("a", tmp_path, 1, 14, 0, 2, "cpu"))
    tracker.evaluated({**folder.metrics()[-1], "step": 999})
    (torn,) = (tmp_path / "tensorboard").iterdir()
    train_run(config, tmp_path)
    events = read(tmp_path / "tensorboard")
    check_equal(events, folder)
    assert not torn.exists()


def test_an_open_tensorboard_forgets_what_is_written_again(tmp_path: Path) -> None:
    """It keeps the points of a file that it has read, also where the file is gone."""
    train_run(compose(*TINY), tmp_path)
    events, folder = read(tmp_path / "tensorboard"), RunFolder(tmp_path)
    tracker = open_tracker(compose(*TINY), folder)
    tracker.started(Started("a", tmp_path, 1, 14, 14, 2, "cpu"))
    events.Reload()
    check_equal(events, folder)


def test_a_failed_run_is_marked(tmp_path: Path) -> None:
    """HPARAMS has a column for it."""
    train_run(compose(*TINY), tmp_path)
    tracker = open_tracker(compose(*TINY), RunFolder(tmp_path))
    tracker.started(Started("a", tmp_path, 1, 14, 14, 2, "cpu"))
    tracker.ended(Ended("failed", 1, "no memory"))
    events = read(tmp_path / "tensorboard")
    assert hparams(events, "session_end_info").session_end_info.status == 2  # failure


def test_a_folder_that_cannot_be_written_to_costs_one_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run is whole all the same."""
    (tmp_path / "tensorboard").write_text("")
    train_run(compose(*TINY), tmp_path)
    out = capsys.readouterr().out
    assert out.count("tracker=tensorboard failed, and the run goes on without it") == 1
    assert RunFolder(tmp_path).state() == "finished"


@pytest.mark.slow
def test_a_sweep_is_one_log_directory(train: Command, tmp_path: Path) -> None:
    """`tensorboard --logdir outputs/sweeps/s` shows its runs side by side, of a stack too."""
    words = [word for word in TINY if "epochs" not in word]
    for launcher in ("pool", "stack"):
        train("-m", *words, "seed=0,1", "sweep.baseline=none", f"sweep.name={launcher}",
              f"hydra/launcher={launcher}", "hydra.launcher.workers=1")  # fmt: skip
        for seed in (0, 1):
            folder = RunFolder(tmp_path / "outputs" / "sweeps" / launcher / f"seed={seed}")
            check_equal(read(folder.path / "tensorboard"), folder)


INSTALL = r"needs the package tensorboard, which is not installed; pip install 'mnist_seq\[tensor"
HIDDEN = """\
import importlib.util as util
find = util.find_spec
util.find_spec = lambda name, *rest: None if name == "tensorboard" else find(name, *rest)
"""


def test_a_missing_package_is_named_with_its_install_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None)
    with pytest.raises(ConfigError, match=INSTALL):
        train_run(compose(*TINY), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_sweep_names_the_missing_package_before_its_first_run(tmp_path: Path) -> None:
    """And not a hundred times, in the log of each run."""
    (tmp_path / "sitecustomize.py").write_text(HIDDEN)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "mnist_seq.train", "-m", "seed=0,1", *TINY],
        cwd=tmp_path, env={**clean_env(), "PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert re.search(INSTALL, done.stdout + done.stderr)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "outputs").exists() or not [*(tmp_path / "outputs").rglob("run.json")]
