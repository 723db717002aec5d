"""`python -m mnist_seq.reproduce`: published numbers, trained and judged."""

import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mnist_seq import reproduce
from mnist_seq.config import ConfigError
from mnist_seq.published import stored
from mnist_seq.published.rows import rows
from mnist_seq.published.table import HEADER, SHORT, verdicts
from mnist_seq.published.terminal import lines_of
from mnist_seq.runs import provenance
from mnist_seq.runs.lock import locked
from mnist_seq.tasks import locate, remember, task_of
from tests.conftest import ROOT, clean_env, config_of

KEYS: dict[str, Any] = {"names": [], "seeds": 3, "sweep": "none", "out": "out", "train": []}
TINY = """# @package _global_
defaults:
  - override /data: upside
model:
  hidden: 2
data:
  length: 3
  valid: 20
  test: 20
training:
  updates: 2
  batch_size: 4
expects:
  lstm:
    value: 0.999
    tolerance: 0.0001
    source: nobody
"""
UPSIDE = """from mnist_seq.tasks.parity import Parity
from mnist_seq.tasks.spec import Metric

class Upside(Parity):
    metrics = {"accuracy": Metric(False, "%", "points", 100.0, 2)}
"""


def printed(width: int = 140, **given: object) -> str:
    """What `run` prints."""
    console = Console(file=io.StringIO(), width=width)
    assert reproduce.run({**KEYS, **given}, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_list_has_every_number_with_its_cost_and_the_rule() -> None:
    text = printed(220, names=["list"])
    assert "parity.lstm" in text
    assert "~10 h" in text
    assert "~: a guess, of one seed" in text
    assert "of all seeds together, measured on " in text
    assert f"this machine is {provenance.host()['cpu']}, " in text
    assert "Not met: the whole interval" in text
    assert "rows.lstm" not in printed(names=["list", "parity"])


def test_a_narrow_terminal_has_one_line_a_number_and_a_very_narrow_one_entries() -> None:
    """A number in two pieces is another number."""
    found = verdicts(rows(), stored.read_all())
    narrow = [head for head in HEADER[:SHORT] if head != "band"]
    for width, head in ((120, [*HEADER[:SHORT]]), (80, narrow)):
        lines = list(lines_of(found, width))
        assert lines[0].split() == head
        assert [line.split()[0] for line in lines[1:]] == [verdict.row.id for verdict in found]
        assert max(map(len, lines)) <= width
    entries = list(lines_of(found, 60))
    assert max(map(len, entries)) <= 60
    for text in ("rows.lstm: met", "paper 98.9 %; ours 98.86 ± 0.12 %; n 5; time 46 min"):
        assert text in "\n".join(entries)
    assert "rows.lstm                 98.9 %   98.86 ± 0.12 %" in printed(80, names=["list"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"names": ["paraty"]}, r"did you mean parity\?"),
        ({"names": "parity"}, "names must be a list of words"),
        ({"seeds": 0}, "seeds must be a whole number"),
        ({"seeds": True}, "seeds must be a whole number"),
        ({"out": 3}, "out must be a folder"),
        ({"sweep": ["a"]}, "sweep must be a folder"),
        ({"train": ["training.epochs=3"]}, "train experiment=parity training.epochs=3"),
        ({"train": ["training.init_from=a"]}, "training.init_from=a changes it"),
        ({"train": ["device.precision=bf16"]}, "device.precision=bf16 changes it"),
        ({"train": ["sead=3"]}, r"did you mean seeds\?"),
        ({"train": ["seed=3"]}, "reproduce chooses seed itself"),
        ({"train": ["sweep.name=x"]}, "reproduce chooses sweep.name itself"),
    ],
)
def test_a_wrong_word_is_refused_in_one_line(given: dict[str, Any], says: str) -> None:
    """Nothing else than what is published may be trained under its name."""
    with pytest.raises(ConfigError, match=says) as refused:
        printed(**{"names": ["parity"], **given})
    assert "\n" not in str(refused.value)


def test_bare_words_are_names_and_foreign_ones_go_to_the_train_command() -> None:
    words = [
        "parity",
        "--config-dir",
        "my own",
        "seeds=5",
        "data.root=a b",
        "rows.lstm",
        "--cfg",
        "job",
    ]
    assert reproduce.as_keys(words) == [
        "seeds=5", "names=['parity','rows.lstm']",
        "train=['--config-dir','my own','data.root=a b']", "--config-dir", "my own", "--cfg", "job",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_stopped_command_goes_on_and_judges(tmp_path: Path) -> None:
    """With an experiment and a task of the user's own, by whose metric less is better.

    Stopped in its first sweep, then typed again.
    """
    own = tmp_path / "own" / "experiment"
    own.mkdir(parents=True)
    (own / "tiny.yaml").write_text(TINY)
    (own.parent / "data").mkdir()
    parity = (ROOT / "conf" / "data" / "parity.yaml").read_text()
    (own.parent / "data" / "upside.yaml").write_text(parity.replace("name: parity", "name: upside"))
    (own.parent / "data" / "upside.py").write_text(UPSIDE)
    line = [
        sys.executable,
        "-m",
        "mnist_seq.reproduce",
        "--config-dir",
        "own",
        "tiny",
        "tracker=none",
    ]
    given: dict[str, Any] = {"cwd": tmp_path, "env": clean_env(), "text": True}
    sweep = tmp_path / "outputs" / "sweeps" / "reproduce-tiny.lstm"
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **given) as first:
        while not sweep.is_dir() and first.poll() is None:
            time.sleep(0.01)
        first.send_signal(signal.SIGINT)
        said = first.communicate(timeout=120)[0]
    assert first.returncode == 130, said
    assert said.rstrip().endswith("interrupted by Ctrl-C; the same command goes on")
    done = subprocess.run(line, capture_output=True, timeout=120, check=True, **given)
    assert "tiny.lstm: published 99.9 % (99.9-99.9); 3 seeds; source: nobody" in done.stdout
    found = stored.read_all(tmp_path / "outputs" / "reproduced")["tiny.lstm"]
    assert [seed.seed for seed in found.seeds] == [0, 1, 2]
    table = (tmp_path / "outputs" / "reproduced" / "published.md").read_text()
    assert "| tiny.lstm | 99.9 % | 99.9-99.9 |" in table
    assert "| 3 | met |" in table
    looked = [
        *line[:2],
        "mnist_seq.compare",
        "--config-dir",
        "own",
        f"sweep={sweep}",
        "formats=[csv]",
    ]
    report = subprocess.run(looked, capture_output=True, timeout=120, check=True, **given)
    assert "Published numbers\n  tiny.lstm: paper 99.9 %" in report.stdout
    rows = (tmp_path / "outputs" / "reproduced" / "published.csv").read_text().splitlines()
    assert len(rows) == 2
    (own / "tiny.yaml").write_text(TINY.replace("hidden: 2", "hidden: 3"))
    for word, says in (
        ("sweep.stale=error", "model.hidden (2, now 3)"),
        (
            "sweep.stale=keep",
            "of another config than it has now",
        ),
    ):  # what was measured of another config is no result of this one
        again = subprocess.run([*line, word], capture_output=True, timeout=120, **given)
        assert again.returncode == 1
        assert says in again.stdout + again.stderr
        assert "Traceback" not in again.stderr
        rows = (tmp_path / "outputs" / "reproduced" / "published.csv").read_text().splitlines()
        assert ",not run," in rows[1]
    subprocess.run([*line, "sweep.stale=rerun"], timeout=120, check=True, **given)
    anew = stored.read_all(tmp_path / "outputs" / "reproduced")["tiny.lstm"]
    assert len(anew.seeds) == 3
    assert anew.variant != found.variant


def test_data_that_stand_in_for_the_published_ones_are_refused(tmp_path: Path) -> None:
    """Before anything is trained: the subset's accuracy is no verdict on MNIST."""
    subset = locate(task_of(config_of("data=mnist_5k", "device=cpu").data), tmp_path)
    remember(replace(subset, requested="mnist"), tmp_path)
    out = tmp_path / "new" / "out"
    console = Console(file=io.StringIO(), width=200)
    given = {"names": ["rows.rnn"], "train": [f"data.root={tmp_path}"], "out": str(out)}
    assert not reproduce.run({**KEYS, **given}, console)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "rows.rnn: what is published is of mnist, which is not found, and mnist_5k is no" in said
    assert "| not run |" in (out / "published.md").read_text()


def test_a_sweep_that_another_command_works_on_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the sweep of a command that was killed: it trains on, and nothing trains twice."""
    monkeypatch.chdir(tmp_path)
    console = Console(file=io.StringIO(), width=200)
    with locked(Path("outputs/sweeps/reproduce-parity.lstm"), what="a sweep"):
        assert not reproduce.run({**KEYS, "names": ["parity.lstm"]}, console)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert f"reproduce-parity.lstm is being worked on by process {os.getpid()} on " in said
    assert "; wait for it, or stop it; the same command then goes on" in said
