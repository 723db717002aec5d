"""The training command as a user types it: real processes, no terminal."""

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_seq.runs.folder import RunFolder, find_runs
from tests import warm
from tests.conftest import SHARED_DATA, SMALL, Command, clean_env, some

RUN = "hydra.run.dir=run"
LONG = [*SMALL, "training.epochs=4", "training.checkpoint_every=3", "training.eval_every=9", RUN]


def test_one_run_leaves_its_folder_and_says_what_it_reached(train: Command, tmp_path: Path) -> None:
    done = train(*SMALL)
    (folder,) = find_runs(tmp_path / "outputs" / "runs")
    assert folder.state() == "finished"
    assert (folder.path / ".hydra" / "overrides.yaml").exists()
    accuracy = 100 * folder.result()["metrics"]["test/accuracy"]
    assert f"test accuracy {accuracy:.2f} %" in done.stdout
    assert "predicted:" in done.stdout
    assert str(folder.path.relative_to(tmp_path)) in done.stdout
    assert "\x1b" not in done.stdout, "no colours where there is no terminal"


@pytest.mark.slow
def test_a_sweep_leaves_a_folder_a_run(train: Command, tmp_path: Path) -> None:
    """The README's promise: `-m model.hidden=32,64,128`."""
    train("-m", *SMALL[:1], *SMALL[2:], "model.hidden=8,16,24", "sweep.name=widths")
    hidden = [
        folder.record()["config"]["model"]["hidden"]
        for folder in find_runs(tmp_path / "outputs" / "sweeps" / "widths")
        if folder.state() == "finished"
    ]
    assert {8, 16, 24} <= set(hidden)


def start(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    return warm.Popen(
        [sys.executable, "-m", "mnist_seq.train", *words],
        cwd=tmp_path,
        env=clean_env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.002)


def same_numbers(a: RunFolder, b: RunFolder) -> None:
    assert a.result()["metrics"] == b.result()["metrics"]
    rows = [[{k: v for k, v in r.items() if k != "seconds"} for r in f.metrics()] for f in (a, b)]
    assert rows[0] == rows[1]
    weights = [torch.load(f.model_path, weights_only=True) for f in (a, b)]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    np.testing.assert_array_equal(a.predictions()[1], b.predictions()[1])


@pytest.mark.slow
def test_a_run_killed_in_the_middle_and_started_again_gives_the_same_bits(
    train: Command, tmp_path: Path
) -> None:
    """kill -9 leaves no time to save: the last checkpoint and the seed must be enough."""
    train(*LONG[:-1], "hydra.run.dir=whole")
    process = start(tmp_path, *LONG)
    wait_for(tmp_path / "run" / "checkpoint.pt", process)
    process.kill()
    process.communicate()
    folder = RunFolder(tmp_path / "run")
    assert folder.state() == "interrupted"
    done = train(*LONG)
    assert "resumed at step" in done.stdout
    same_numbers(RunFolder(tmp_path / "whole"), folder)


@pytest.mark.parametrize("signum", some([signal.SIGINT, signal.SIGTERM], 1))
def test_an_interrupted_run_prints_the_command_that_goes_on(
    train: Command, tmp_path: Path, signum: int
) -> None:
    """The command is typed as printed, and finishes the run."""
    words = [w for w in LONG if w != RUN]
    process = start(tmp_path, *words, "training.epochs=400")
    wait_for_any(tmp_path / "outputs" / "runs", "checkpoint.pt", process)
    process.send_signal(signum)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signum, output
    assert "Traceback" not in output
    command = re.search(r"to go on: (.*)$", output, re.MULTILINE)
    assert command, output
    (folder,) = find_runs(tmp_path / "outputs" / "runs")
    assert folder.state() == "interrupted"
    first = torch.load(folder.checkpoint_path, weights_only=True)["loop"]["step"]
    again = shlex.split(command[1])[3:]
    num_rows = len(folder.metrics())
    process = start(tmp_path, *again)
    while len(folder.metrics()) == num_rows:  # a signal that comes before training just ends it
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    process.send_signal(signum)
    output, _ = process.communicate(timeout=60)
    assert f"resumed at step {first}" in output


def wait_for_any(root: Path, name: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not any(root.rglob(name)):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_a_finished_run_is_kept(train: Command, tmp_path: Path) -> None:
    train(*SMALL, RUN)
    before = (tmp_path / "run" / "result.json").stat().st_mtime_ns
    done = train(*SMALL, RUN)
    assert "is finished already" in done.stdout
    assert (tmp_path / "run" / "result.json").stat().st_mtime_ns == before


REFUSED = [
    ("model.hidden=0", "model.hidden must be 1 or more"),
    ("model.hiden=64", "did you mean model.hidden?"),
    ("+model.hiden=64", "did you mean model.hidden?"),
    ("optimizer.lr=fast", "optimizer.lr must be a number"),
    ("optimizer.lr=-1", "optimizer.lr must be more than 0"),
    ("data.valid=60000", "data.valid must leave training images"),
    ("model=lsmt", "did you mean model=lstm?"),
    ("modle=lstm", "did you mean model?"),
    ("model.hidden=32,64", "add -m"),
    ("model.hidden=[", "key=value"),
    ("model.hidden=999999", "memory"),
]
if not torch.cuda.is_available():
    REFUSED.append(("device=cuda", "write device=auto or device=cpu"))


@pytest.mark.parametrize(("override", "says"), some(REFUSED, 3))
def test_a_wrong_override_is_one_line_and_leaves_nothing(
    train: Command, tmp_path: Path, override: str, says: str
) -> None:
    """A confusing error costs an hour; a folder left behind could be taken for a run."""
    words = [w for w in SMALL if override.partition("=")[0].lstrip("+") not in w]
    if override.startswith("data.valid"):
        words = words[1:]
    done = train(*words, override, check=False)
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not any(find_runs(tmp_path))


def test_an_unreadable_root_is_named(train: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    done = train("data.root=file", "tracker=none", check=False)
    assert done.returncode == 1
    assert "file" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.slow
def test_a_full_disk_ends_the_run_without_a_result(tmp_path: Path) -> None:
    """Half a result must never be taken for one; a limit on file sizes acts as a full disk."""
    words = shlex.join([sys.executable, "-m", "mnist_seq.train", *LONG, "model.hidden=64"])
    # SIGXFSZ ignored, a write past the limit is an OSError, as on a full disk
    done = subprocess.run(
        ["bash", "-c", f"trap '' XFSZ; ulimit -f 60; exec {words}"],
        cwd=tmp_path, env=clean_env(), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "File too large" in done.stderr
    folder = RunFolder(tmp_path / "run")
    assert folder.state() == "failed"
    assert not list((tmp_path / "run").glob(".*.tmp"))


SLOW_TO_IMPORT = ("torch", "torchvision", "wandb", "pandas", "scipy")


@pytest.mark.slow
def test_a_reader_that_leaves_does_not_end_the_run(tmp_path: Path) -> None:
    """`| head -1` is no reason to lose a run."""
    words = shlex.join([sys.executable, "-m", "mnist_seq.train", *LONG])
    done = subprocess.run(
        ["bash", "-c", f"{words} | head -1"], cwd=tmp_path, env=clean_env(),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.stderr == ""
    assert RunFolder(tmp_path / "run").state() == "finished"


def test_a_refused_command_leaves_the_finished_run_as_it_was(
    train: Command, tmp_path: Path
) -> None:
    """.hydra/ says what was asked of the run that lies there, not of one that was refused."""
    train(*SMALL, RUN)
    asked = (tmp_path / "run" / ".hydra" / "config.yaml").read_text()
    done = train(*SMALL, RUN, "model.hidden=99", check=False)
    assert "model.hidden (16, now 99)" in done.stderr
    assert (tmp_path / "run" / ".hydra" / "config.yaml").read_text() == asked


@pytest.mark.parametrize("words", [["--cfg", "job"], ["--help"]])
def test_help_imports_nothing_slow(tmp_path: Path, words: list[str]) -> None:
    """--help answers at once; asked of the interpreter itself, not of a clock."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mnist_seq.train", *words],
        cwd=tmp_path, env=clean_env(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "hydra" in imported
    assert not imported & set(SLOW_TO_IMPORT)
    assert "model" in done.stdout
    assert ("# passes over the training set" in done.stdout) == (words == ["--help"])


def test_help_lists_the_groups_and_their_options(train: Command) -> None:
    text = train("--help").stdout
    for name in ("gru", "lstm", "rnn"):
        assert re.search(rf"^model=.*\b{name}\b", text, re.MULTILINE)
    assert "base=" not in text


@pytest.mark.slow
def test_a_terminal_gets_a_bar_and_is_never_asked(tmp_path: Path) -> None:
    """On a terminal a bar is drawn; no prompt appears, not even W&B's."""
    leader, follower = pty.openpty()
    process = warm.Popen(
        [sys.executable, "-m", "mnist_seq.train", *SMALL[:-1], "training.epochs=20", RUN],
        cwd=tmp_path, env={**clean_env(), "TERM": "xterm", "HOME": str(tmp_path)},
        stdin=follower, stdout=follower, stderr=follower,
    )  # fmt: skip
    os.close(follower)
    output = b""
    try:
        while chunk := os.read(leader, 65536):
            output += chunk
    except OSError:  # the other end is closed: the process has ended
        pass
    os.close(leader)
    assert process.wait(timeout=120) == 0, output.decode()
    text = output.decode()
    assert "steps/s" in text
    assert "test accuracy" in text


def test_the_article_repeats_the_tutorial(train: Command, tmp_path: Path) -> None:
    """Every 50 steps a line with epoch, loss and accuracy; at the end ten predictions."""
    words = ["data=mnist_5k", "training.monitor_test=1000"]  # it has no 2,000 test images
    done = train("experiment=article", *words, "tracker=none", RUN)
    rows = RunFolder(tmp_path / "run").metrics()
    assert [row["step"] for row in rows] == [50, 63]
    assert "monitor/accuracy" in done.stdout
    result = RunFolder(tmp_path / "run").result()
    counted = [result[key] for key in ("num_params", "state_size", "multiply_adds")]
    assert counted == [24_714, 128, 23_744]
    assert len(re.findall(r"real: ((?:\d ?){10})", done.stdout)) == 1


@pytest.mark.slow
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="needs the full MNIST in ../shared/data")
def test_the_article_reaches_its_accuracy_on_real_mnist(train: Command, tmp_path: Path) -> None:
    done = train("experiment=article", f"data.root={SHARED_DATA}", "tracker=none", RUN)
    result = RunFolder(tmp_path / "run").result()
    assert 0.94 < result["metrics"]["test/accuracy"] < 0.98
    assert "real: 7 2 1 0 4 1 4 9 5 9" in done.stdout
    assert len(RunFolder(tmp_path / "run").metrics()) == 19


def test_no_network_and_no_data_means_the_small_real_set_said_and_recorded(
    train: Command, tmp_path: Path
) -> None:
    """A machine with no network trains at once, and no one can take the result for MNIST."""
    done = train(*SMALL[1:], "data.root=nowhere", RUN)
    record = RunFolder(tmp_path / "run").record()
    if record["data"]["data"] == "mnist":
        pytest.fail("this machine reaches a mirror of MNIST: the fallback cannot be seen")
    assert record["data"] == {**record["data"], "requested": "mnist", "data": "mnist_5k"}
    assert "mnist_5k" in done.stdout
    assert json.dumps(record["config"]["data"]["name"]) == '"mnist_5k"'
