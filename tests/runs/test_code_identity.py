"""Which code a run's numbers come from."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import mnist_seq
from mnist_seq.config import Config
from mnist_seq.notebook import compose
from mnist_seq.runs import code_identity
from mnist_seq.runs.code_identity import SCHEME, code_hash, difference, modules_of
from tests.conftest import ROOT

CELLS = ("lstm", "gru", "irnn")

# A change of this list is a change of what "the same code" means. Read it before you mend it.
MODULES = {
    "models": (
        "blocks cells cells.lstm classifier head initial kernels.exporting "
        "kernels.lstm_scan kernels.scan parameter_groups recurrence unequal whole"
    ),
    "native": "",  # of runs with device.kernel=native alone
    "tasks": (
        "batches.augment batches.batch batches.split batches.stacked_data batches.stream_data "
        "batches.task_data examples images images.idx images.padding images.permutation "
        "images.published_task images.sequence located mnist spec streams"
    ),
    "training": (
        "batched.stack batched.stacked_optimizer checkpoint device loop.batch loop.best "
        "loop.budget loop.cuda_graph loop.evaluation loop.learner loop.logbook loop.loop "
        "loop.objective loop.program loop.start loop.step optimizers run schedules "
        "schedules.constant seeds"
    ),
}


@pytest.fixture(scope="module")
def configs() -> dict[str, Config]:
    return {cell: compose(f"model={cell}") for cell in CELLS}


def forget() -> None:
    for name in ("_package", "_text", "_hash_of"):
        getattr(code_identity, name).cache_clear()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the code, which is hashed in place of the code that runs."""
    copy = tmp_path / "mnist_seq"
    shutil.copytree(
        ROOT / "mnist_seq", copy, ignore=shutil.ignore_patterns("__pycache__", "report", "sweep")
    )
    monkeypatch.setattr(mnist_seq, "__file__", str(copy / "__init__.py"))
    forget()
    yield copy
    forget()


Changed = Callable[[], list[str]]


@pytest.fixture
def changed(package: Path, configs: dict[str, Config]) -> Changed:
    """Cells whose runs have become stale since the last call."""

    def hashes() -> dict[str, str]:
        forget()
        return {cell: code_hash(config) for cell, config in configs.items()}

    before = hashes()

    def ask() -> list[str]:
        nonlocal before
        now = hashes()
        found = [cell for cell in CELLS if now[cell] != before[cell]]
        before = now
        return found

    return ask


def module(package: Path, name: str) -> Path:
    """The file of a module, by the last part of its name: rooms are laid out anew now and then."""
    (path,) = package.rglob(f"{name}.py")
    return path


def edit(path: Path, pattern: str, replacement: str) -> None:
    text = path.read_text()
    new, num = re.subn(pattern, replacement, text, count=1, flags=re.MULTILINE)
    assert num == 1, f"{path} has nothing like {pattern}"
    assert new != text
    path.write_text(new)


def test_the_modules_that_count_are_these() -> None:
    """Found by a rule; listed here, so that a change of the rule's answer is seen."""
    found = dict.fromkeys(code_identity.ROOMS, "")
    for name in modules_of(compose()):
        _, room, *rest = name.split(".")
        found[room] = f"{found[room]} {'.'.join(rest)}".lstrip()
    assert found == MODULES


def test_the_native_step_is_code_of_native_runs_alone(package: Path, changed: Changed) -> None:
    """Its Python and its C++; a run by torch comes from neither."""
    config = compose("device.kernel=native")
    found = [code_hash(config)]
    for path in (package / "native" / "net.py", module(package, "loop/native"),
                 next((package / "native" / "source").glob("*.cpp"))):  # fmt: skip
        path.write_text(
            path.read_text() + ("int one = 1;\n" if path.suffix == ".cpp" else "X = 1\n")
        )
        assert changed() == []
        found.append(code_hash(config))
    assert len(set(found)) == len(found)


def test_what_is_said_about_code_keeps_the_runs(package: Path, changed: Changed) -> None:
    """Comments, docstrings, annotations, formatting, line endings, messages: no number moves."""
    step = module(package, "loop/step")
    text = step.read_text()
    step.write_bytes(f"# a comment\n{text}\n\n\n# another one\n".replace("\n", "\r\n").encode())
    assert changed() == []
    step.write_text(text)
    edit(step, r'^"""[^"]*"""', '"""Another docstring."""')
    edit(step, r"^(def train_step\((?:.|\n)*?\)) -> [^\n]*:\n", r"\1 -> 'int':\n    'One line.'\n")
    logbook = module(package, "logbook")
    edit(logbook, r"must hold the \{wanted\} evaluations", "should hold {wanted} of them")
    edit(
        logbook, r"^(    )(def begin\(self), \*, num_steps: int\) -> None:", r"\1\2, *, num_steps):"
    )
    edit(module(package, "recurrence"), r"^import torch$", "import math\nimport torch")
    assert changed() == []


def test_other_rooms_and_the_screen_keep_the_runs(package: Path, changed: Changed) -> None:
    """They show, plan, guard and record; no number comes from them."""
    for path in (module(package, "progress"), module(package, "preflight/memory"),
                 package / "train.py", package / "runs" / "events.py",
                 package / "config" / "errors.py"):  # fmt: skip
        path.write_text(path.read_text() + "\nSOMETHING = 1\n")
    assert changed() == []


def test_a_number_in_what_all_runs_share_makes_all_stale(package: Path, changed: Changed) -> None:
    """The step, the cells' base, the seeds, the rates: all runs come from them."""
    for name in ("loop/step", "recurrence", "seeds", "evaluation"):
        path = module(package, name)
        path.write_text(path.read_text() + "\nSOMETHING = 1\n")
        assert changed() == [*CELLS], name
    edit(module(package, "checkpoint"), r"^(    [a-z_]+ = )", r"    SOMETHING = 1\n\1")
    assert changed() == [*CELLS]


def test_a_cell_makes_its_own_runs_stale_alone(package: Path, changed: Changed) -> None:
    """And a cell that builds on another one follows it; one that is added changes no other."""
    cells = package / "models" / "cells"
    (cells / "leaky.py").write_text("from mnist_seq.models.recurrence import Cell\nX = Cell\n")
    assert changed() == []
    for name, stale in (("gru", ["gru"]), ("rnn", ["irnn"]), ("lstm", ["lstm"])):
        (cells / f"{name}.py").write_text((cells / f"{name}.py").read_text() + "\nX = 1\n")
        assert changed() == stale


@pytest.mark.parametrize("name", ["memory", "errors", "drawing"])
def test_a_cell_may_have_the_name_of_a_module_that_does_not_count(
    package: Path, configs: dict[str, Config], name: str
) -> None:
    """A gain that changes without a word would be a wrong number."""
    cell = package / "models" / "cells" / f"{name}.py"
    config = configs["gru"]
    named = config.model_copy(update={"model": config.model.model_copy(update={"name": name})})
    hashes = set()
    for gain in (1.0, 3.0):
        cell.write_text(f"GAIN = {gain}\n")
        forget()
        hashes.add(code_hash(named))
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("line", "value"),
    [("from ._gains import GAIN", "GAIN"), ("from . import _gains", "_gains.GAIN"),
     ("from .._gains import GAIN", "GAIN"), ("from ._gains import *", "GAIN")],
)  # fmt: skip
def test_relative_and_starred_imports_are_followed(
    package: Path, changed: Changed, line: str, value: str
) -> None:
    """However a file takes a constant from another, it moves the numbers."""
    helpers = [package / "models" / "_gains.py", package / "models" / "cells" / "_gains.py"]
    for helper in helpers:
        helper.write_text("GAIN = 1.0\n")
    gru = package / "models" / "cells" / "gru.py"
    gru.write_text(f"{gru.read_text()}\n{line}\nX = {value}\n")
    assert changed() == ["gru"]
    for helper in helpers:
        helper.write_text("GAIN = 2.0\n")
    assert changed() == ["gru"]


def test_a_function_may_move_to_another_file(package: Path, changed: Changed) -> None:
    """Where code stands is no part of it: folders are laid out anew, and no run is lost."""
    seeds = module(package, "seeds")
    new = package / "training" / "randomness" / "seeds_by_name.py"
    new.parent.mkdir()
    shutil.move(seeds, new)
    for path in package.rglob("*.py"):
        old = ".".join(seeds.relative_to(package.parent).with_suffix("").parts)
        path.write_text(
            path.read_text().replace(old, "mnist_seq.training.randomness.seeds_by_name")
        )
    assert changed() == []


def test_a_constant_of_config_counts_where_it_is_imported(package: Path, changed: Changed) -> None:
    """Config's values have a hash of their own; its constants are code."""
    constants = package / "config" / "constants.py"
    constants.write_text("GAIN = 1.0\nUNUSED = 1\n")
    recurrence = module(package, "recurrence")
    recurrence.write_text(
        f"{recurrence.read_text()}\nfrom mnist_seq.config.constants import GAIN\nX = GAIN\n"
    )
    assert changed() == [*CELLS]
    constants.write_text("GAIN = 1.0\nUNUSED = 2\n")
    assert changed() == []
    constants.write_text("GAIN = 1.5\nUNUSED = 2\n")
    assert changed() == [*CELLS]


def test_an_older_scheme_is_named(configs: dict[str, Config]) -> None:
    """Its hash says nothing about today's code, whatever it is."""
    now = code_hash(configs["lstm"])
    assert difference({"hash": now}, configs["lstm"]) == "code of an older scheme"
    assert difference({"hash": now, "scheme": SCHEME}, configs["lstm"]) == ""
    assert re.fullmatch(
        "code 00000000, now [0-9a-f]{8}",
        difference({"hash": "0" * 64, "scheme": SCHEME}, configs["lstm"]),
    )


def test_a_process_names_the_code_that_it_has_imported(
    package: Path, configs: dict[str, Config]
) -> None:
    """A file that is edited while a sweep runs is not what the sweep's runs come from."""
    before = code_hash(configs["gru"])
    forget()
    code_identity.remember()
    for path in (module(package, "loop/step"), package / "models" / "cells" / "gru.py"):
        path.write_text(path.read_text() + "\nSOMETHING = 1\n")
    assert code_hash(configs["gru"]) == before
