"""Every example of CONTRIBUTING.md is done here as the page says, in a copy of the repository."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import warm
from tests.conftest import ROOT, SMALL, clean_env

PAGE = (ROOT / "CONTRIBUTING.md").read_text()


@dataclass(frozen=True)
class Example:
    """A section that adds a member.

    Attributes:
        files: paths and contents.
        commands: those of its `sh` block.
    """

    files: dict[str, str]
    commands: list[str]


def read(section: str) -> Example:
    blocks = re.findall(r"`([\w./]+)`:\n\n```\w+\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    shell = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in shell for line in block.splitlines()]
    return Example(dict(blocks), [line for line in lines if line])


SECTIONS = re.split(r"^### ", PAGE.partition("\n## Add a member")[2], flags=re.MULTILINE)[1:]
EXAMPLES = {section.partition("\n")[0]: read(section) for section in SECTIONS}
CELL = EXAMPLES["A cell"]
COMMANDS = [
    pytest.param(
        kind, line, marks=[pytest.mark.slow] * (line.startswith("pytest") or kind == "A launcher")
    )
    for kind, example in EXAMPLES.items()
    for line in example.commands
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the files of all examples added, and nothing edited."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("mnist_seq", "hydra_plugins", "conf", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "outputs")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, folder)
    for example in EXAMPLES.values():
        for path, text in example.files.items():
            assert not (folder / path).exists(), f"{path} is a file of the project"
            (folder / path).write_text(text)
    return folder


def run(copy: Path, *words: str, code: int = 0) -> str:
    start = warm.run if words[0].startswith("mnist_seq") else subprocess.run
    done = start(
        [sys.executable, "-m", *words],
        cwd=copy,
        env={**clean_env(), "PYTHONPATH": str(copy), "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return str(done.stdout + done.stderr)


def quick(command: str) -> list[str]:
    """A command of the page, at a size for tests where it says none."""
    start, *words = shlex.split(command)
    if start == "pytest":
        return ["pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *words]
    assert (start, words[0]) == ("python", "-m"), command
    if words[1] != "mnist_seq.train":
        return [*words[1:], "formats=[csv,html]"]
    given = {word.partition("=")[0] for word in words}
    small = [*SMALL, "model.hidden=8", "data.limit=400"]
    if "data" in given:
        small = [word for word in small if not word.startswith("data")]
    return words[1:] + [word for word in small if word.partition("=")[0] not in given]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_is_one_yaml_and_one_file(kind: str) -> None:
    """As promised; where a library has the code, or no key is needed, one of them is enough."""
    suffixes = sorted(Path(path).suffix for path in EXAMPLES[kind].files)
    assert suffixes in ([".py", ".yaml"], [".yaml"], [".py"])
    assert EXAMPLES[kind].commands


@pytest.mark.parametrize(("kind", "command"), COMMANDS)
def test_a_command_of_an_example_runs(copy: Path, kind: str, command: str) -> None:
    """In the page's order: a comparison follows its sweep."""
    out = run(copy, *quick(command))
    if command.startswith("pytest"):
        assert int(re.search(r"(\d+) passed", out)[1]) >= 2  # type: ignore[index]
    elif "-m mnist_seq.train -m" in command:
        assert re.search(r"(\d+) of \1 runs? done", out)


CODE = [path for example in EXAMPLES.values() for path in example.files if path.endswith(".py")]


def test_the_examples_pass_the_linter(copy: Path) -> None:
    """What a newcomer copies is what a review accepts."""
    run(copy, "ruff", "check", *CODE)
    run(copy, "ruff", "format", "--check", *CODE)


@pytest.mark.slow  # a minute: the copy has no cache of types
def test_the_examples_pass_the_type_checker(copy: Path) -> None:
    run(copy, "mypy", *CODE)


def test_the_cell_is_short() -> None:
    """Under 40 lines, as promised."""
    (code,) = (text for path, text in CELL.files.items() if path.endswith(".py"))
    assert len(code.splitlines()) < 40


@pytest.mark.slow
def test_the_cell_gets_baselines_a_size_and_a_place_in_the_report(copy: Path) -> None:
    """Tuned by its own key, matched in size, judged against the LSTM."""
    sweep = ["model=leaky", "model.leak=0.3,0.6", "seed=0,1", "sweep.name=judged"]
    out = run(copy, "mnist_seq.train", "-m", *sweep, *SMALL, "model.hidden=8", "data.limit=400")
    assert "added 2 baseline runs" in out
    assert "6 of 6 runs done" in out
    report = run(copy, "mnist_seq.compare", "sweep=outputs/sweeps/judged", "formats=[csv]")
    assert re.search(r"leaky.*0\.3", report)
    matched = ["model=leaky", "model.match=lstm-64", "sweep.dry_run=true", *SMALL[2:]]
    plan = run(copy, "mnist_seq.train", "-m", *matched)
    assert len(re.findall(r"24,[5-9]\d\d", plan)) == 2  # the LSTM's 24,714, and within 1 % of it


@pytest.mark.slow
def test_a_cell_that_branches_on_values_is_refused_in_a_stack_by_name(copy: Path) -> None:
    """What `vmap` cannot take trains in the pool where the user says so, and nowhere else."""
    for path, text in CELL.files.items():
        new = text.replace("leaky", "jumpy")
        if path.endswith(".py"):
            new = new.replace(
                "(h,) = state\n", "(h,) = state\n        h = h if h.norm() < 9 else h / 2\n"
            )
            assert "h.norm()" in new
        (copy / path.replace("leaky", "jumpy")).write_text(new)
    words = ["mnist_seq.train", "-m", "model=jumpy", "seed=0,1", "sweep.baseline=none", *SMALL,
             "sweep.name=jumps", "hydra/launcher=stack", "hydra.launcher.workers=1"]  # fmt: skip
    out = run(copy, *words, code=1)
    assert "1 stack of 2 runs" in out
    assert "model=jumpy cannot be part of a stack" in out
    assert "sweep.unstackable=pool" in out
    out = run(copy, *words, "sweep.unstackable=pool")
    assert "go on alone" in out
    assert "2 of 2 runs done" in out


@pytest.mark.slow
def test_the_data_set_may_ask_for_a_number(copy: Path) -> None:
    """Squared error, `valid/mse` for choices, no accuracy; alone, in a stack, and compared."""
    for path, text in EXAMPLES["A data set"].files.items():
        new = text.replace("pulses", "places").replace("Pulses", "Places")
        if path.endswith(".py"):
            new = new.replace('"class", num_outputs=3', '"value", num_outputs=1')
            new = new.replace("Part(x.astype(np.float32), y)", "Part(x.astype(np.float32), y / 2)")
            new = new.replace("y / 2", "(y / 2).astype(np.float32)")
            assert '"value"' in new
            assert "(y / 2)" in new
        (copy / path.replace("pulses", "places")).write_text(new)
    words = ["mnist_seq.train", "-m", "data=places", "model=lstm,gru", "seed=0,1", "model.hidden=8",
             "training.evaluate=best", "training.epochs=6", "tracker=none"]  # fmt: skip
    out = run(copy, *words, "sweep.name=places")
    assert "4 of 4 runs done" in out
    assert re.search(r"test mse 0\.\d\d\d\d", out)
    run(copy, *words, "sweep.name=together", "hydra/launcher=stack", "hydra.launcher.workers=1")
    for name in ("places", "together"):
        folder = copy / "outputs" / "sweeps" / name / "model=gru,seed=1"
        record = json.loads((folder / "run.json").read_text())["task"]
        result = json.loads((folder / "result.json").read_text())
        assert (record["output"], record["main"]) == ("value", "mse")
        assert {"test/mse", "test/mae", "test/r2", "test/loss"} <= result["metrics"].keys()
        assert "test/accuracy" not in result["metrics"]
        assert result["best"].keys() == {"valid/mse", "step"}
        assert result["metrics"]["test/mse"] < record["guess"]["mse"], "it has learnt"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("model=leaky +model.leek=1", "no code reads model.leek"),
        ("optimizer=signum optimizer.momentum=high", "optimizer.momentum must be a number"),
        ("optimizer=signum optimizer.momentum=2.0", "refuses its keys: momentum must be from 0"),
        ("-m optimizer=adamax optimizer.eps=-1.0", "optimizer=adamax refuses its keys: Invalid"),
        ("-m schedule=inverse_sqrt schedule.scale=0", "refuses its keys: scale must be 1 or more"),
    ],
)
def test_a_wrong_key_or_value_is_refused_before_there_is_a_run(
    copy: Path, tmp_path: Path, words: str, message: str
) -> None:
    """In one line, alone and in a sweep. Types come from the YAML, rules from the member's file."""
    place = f"hydra.{'sweep' if '-m' in words else 'run'}.dir={tmp_path}/new"
    out = run(copy, "mnist_seq.train", *words.split(), place, *SMALL, code=1)
    assert message in " ".join(out.split())
    assert "Traceback" not in out
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written <= {".lock", "train.log"}  # Hydra's own, and the lock of a run's folder


def test_the_tracker_writes_its_file(copy: Path) -> None:
    """Its own key is read, and the file has the rows of the run's record."""
    words = ["tracker=table", "tracker.digits=2", "hydra.run.dir=outputs/runs/rounded"]
    run(copy, "mnist_seq.train", *words, *(word for word in SMALL if word[:7] != "tracker"))
    header, *rows = (copy / "outputs/runs/rounded/table/rows.csv").read_text().splitlines()
    assert header.startswith("step,epoch,train/loss")
    assert [re.fullmatch(r"\d+\.\d\d", row.split(",")[2]) is not None for row in rows] == [True]


@pytest.mark.slow
def test_the_section_has_a_table_and_a_chart_in_the_report(copy: Path) -> None:
    """On the page, in report.md, at the terminal and among the pictures; gone when it is gone."""
    shutil.copytree(ROOT / "tests" / "report" / "older" / "cells", copy / "cells")
    said = run(copy, "mnist_seq.compare", "sweep=cells", "details=true")
    assert "Validation against test" in said
    report = copy / "cells" / "report"
    page, text = (report / "report.html").read_text(), (report / "report.md").read_text()
    for part in ('<section id="gap" ', "<h2", "validation minus test"):
        assert part in page
    assert page.index('id="costs"') < page.index('id="gap"') < page.index('id="settings"')
    assert "## Validation against test" in text
    assert "(figures/gap.png)" in text
    assert (report / "figures" / "gap.png").read_bytes().startswith(b"\x89PNG")
    run(copy, "mnist_seq.compare", "sweep=cells", "formats=[html]")
    assert not (report / "figures").exists(), "the section named its figure, so it was removed"
