"""What a person sees of a sweep: a terminal, wide or narrow, and a log."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console

from mnist_seq.runs.events import Progress, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.sweep.pool import views
from mnist_seq.sweep.pool.jobs import Outcome, PoolJob
from mnist_seq.sweep.pool.views import LineView
from tests import warm
from tests.sweep.conftest import SMALL, SweepRunner, sweep_env

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_a_terminal(folder: Path, columns: int, *words: str) -> tuple[int, str]:
    """The exit code and all that was written, control sequences included."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {k: v for k, v in sweep_env().items() if k != "COLUMNS"}
    process = warm.Popen(
        [sys.executable, "-m", "mnist_seq.train", "-m", *words],
        cwd=folder, env={**env, "TERM": "xterm"}, stdin=follower, stdout=follower,
        stderr=follower, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    output = b""
    try:
        while chunk := os.read(leader, 65536):
            output += chunk
    except OSError:  # the other end is closed: the process has ended
        pass
    os.close(leader)
    return process.wait(timeout=120), output.decode()


@pytest.mark.parametrize("columns", [60, pytest.param(120, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_terminal_shows_a_bar_and_a_line_a_worker_in_its_width(
    tmp_path: Path, columns: int
) -> None:
    """A line that is too long for the terminal wraps, and the live view tears."""
    words = [*SMALL, "training.epochs=9", "model=lstm,rnn", "model.hidden=16", "sweep.name=s"]
    long_name = "optimizer.betas=[0.9,0.999],[0.85,0.995]"
    code, output = on_a_terminal(tmp_path, columns, *words, long_name)
    assert code == 0, output
    text = ESCAPES.sub("", output).replace("\r", "\n")
    live = [line for line in text.splitlines() if "steps/s" in line]
    assert live, "a line for a worker"
    assert all(len(line) <= columns for line in live)
    assert re.search(r"epoch \d\.\d\d/9 .*\d\d\.\d\d % .*steps/s", text)
    assert re.search(r"runs ━+.* [0-4]/4 .* s left", text)
    assert text.count("finished model=") == 4
    assert "4 of 4 runs done" in text
    assert "Traceback" not in text


def test_a_pipe_gets_plain_lines(sweep: SweepRunner) -> None:
    """A log full of control sequences cannot be read or searched."""
    sweep.trouble(**{"seed=1": "raise"})
    output = sweep(*SMALL, "model.hidden=8", "seed=0,1", "sweep.name=s", code=1)
    assert "\x1b" not in output
    assert re.search(r"^\[\d/2\] finished seed=0  test accuracy \d+\.\d\d %  ", output, re.M)
    assert re.search(r"^\[\d/2\] FAILED seed=1  RuntimeError: the job's own fault", output, re.M)
    assert "1 of 2 runs done, 1 failed" in output


def test_a_log_hears_of_a_long_job_each_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A CI log that says nothing for an hour looks like one that hangs."""
    monkeypatch.setattr(views, "LINE_EVERY_S", 0.0)
    view = LineView(Console(), 2)
    job = PoolJob("seed=[3]", RunFolder(tmp_path), lambda: b"")
    view.started(job, 0)
    view.event(
        job, Started("x", tmp_path, 1, num_steps=100, first_step=0, num_epochs=2, device="cpu")
    )
    view.event(job, {"valid/accuracy": 0.5})
    view.event(job, Progress(step=50, epoch=1.0, loss=1.0))
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.match(
        r"\[0/2\] at work: seed=\[3\] epoch 1\.00/2 50\.00 % \d+ steps/s; .* left", last
    )
    view.ended(Outcome(job, "interrupted", "interrupted by Ctrl-C", 1.0), is_retried=False)
    assert capsys.readouterr().out == "[0/2] interrupted seed=[3]  by Ctrl-C\n"
