"""The rooms of docs/architecture.md: who may import whom, without circles."""

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "mnist_seq"

MAY_IMPORT = {
    "system": set(),
    "command": {"config", "runs"},
    "train": {"command", "config", "training", "runs", "tracking"},
    # tasks: pictures of contested digits
    "compare": {"command", "config", "tasks", "report", "runs", "tracking"},
    "status": {"command", "config", "runs", "sweep"},
    "sync": {"command", "config", "runs", "tracking"},
    "predict": {"command", "config", "runs", "trained"},
    # train: it starts that command; training: it looks for the data first
    "reproduce": {
        "command",
        "config",
        "notebook",
        "published",
        "report",
        "runs",
        "train",
        "training",
    },
    "notebook": {
        "compare",
        "config",
        "report",
        "runs",
        "tracking",
        "trained",
        "training",
        "waypoints",
    },
    # report: reads run folders
    "trained": {"config", "models", "report", "runs", "tasks", "training"},
    "config": set(),
    "tasks": {"config"},
    "models": {"config"},
    "native": set(),
    "training": {"config", "tasks", "models", "native", "runs", "waypoints"},
    "runs": {"config"},
    "tracking": {"config", "runs"},
    "waypoints": {"config", "published", "runs", "stats"},
    # report: the last table; tracking: its runs are tracked
    "sweep": {"config", "report", "runs", "tracking", "training", "stats", "waypoints"},
    "stats": set(),
    "published": {"config", "runs", "stats"},
    "report": {
        "config",
        "published",
        "stats",
        "runs",
        "waypoints",
    },  # config: what a misspelt key may have meant; waypoints: stored curves behind the runs'
}

# Folders whose modules are found by scanning: `import_module(f"mnist_seq.<folder>.{name}")` is the
# one dynamic import that is allowed, since a member is never named outside its own file.
MEMBERS = {
    "models.cells",
    "report.sections",
    "sweep.engines",
    "tasks",
    "tracking",
    "training.optimizers",
    "training.schedules",
}

# Faults that stand. Each list must be exactly right: a fault that is mended is taken off.
CIRCLES: set[str] = set()
OUT_OF_ROOM: set[str] = set()
DYNAMIC = {
    "tasks.sources.mnist1d_file: f'{PACKAGE}.data'",
}
CROWDED: set[str] = set()
LONG: set[str] = set()

MAX_ENTRIES, MAX_LINES = 16, 300
# What people type stands beside the rooms, and is not counted among them
COMMANDS = {
    f"mnist_seq.{name}" for name in ("train", "compare", "sync", "status", "predict", "reproduce")
}
SLOW = {"torch", "torchvision", "wandb", "pandas", "scipy", "statsmodels", "altair", "matplotlib"}


@dataclass(frozen=True)
class Use:
    """One module names another one.

    Attributes:
        target: dotted name; of `from a.b import c`, "a.b.c".
        is_typing: only a type checker reads it.
    """

    target: str
    is_typing: bool = False


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@functools.cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text())


def uses(name: str) -> Iterator[Use]:
    """Imports of a module: at its top, inside functions, and by a string that names a module."""
    typing_nodes = {
        id(inner)
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree_of(name)):
        is_typing = id(node) in typing_nodes
        if isinstance(node, ast.Import):
            yield from (Use(alias.name, is_typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            yield from (Use(f"{node.module}.{alias.name}", is_typing) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.split(":")[0]  # "mnist_seq.job:run" names a function of a module
            if words.startswith("mnist_seq.") and words in MODULES:
                yield Use(words)


def short(name: str) -> str:
    return name.removeprefix("mnist_seq.")


def module_of(target: str) -> str:
    """The module that a dotted name lies in; "" where it is not ours."""
    while target and target not in MODULES:
        target = target.rpartition(".")[0]
    return target


def room_of(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


def circles() -> set[frozenset[str]]:
    """Sets of modules of which each one leads to each other one (Tarjan's algorithm)."""
    graph = {
        name: {module_of(use.target) for use in uses(name) if not use.is_typing} - {"", name}
        for name in MODULES
    }
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: set[frozenset[str]] = set()

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.add(frozenset(group))

    for name in graph:
        if name not in index:
            visit(name)
    return found


def compared(found: set[str], listed: set[str], name: str) -> None:
    """Fail on what is new, and on what is mended but listed still."""
    new, mended = sorted(found - listed), sorted(listed - found)
    assert not new, f"new, mend it: {new}"
    assert not mended, f"mended, take it off {name} in {__file__}: {mended}"


def test_a_room_imports_only_what_the_table_lists() -> None:
    """Imports go one way, so that each room can be read, tested and replaced alone."""
    found = {
        f"{short(name)} -> {short(use.target)}"
        for name in MODULES
        if room_of(name) != "__init__"
        for use in uses(name)
        if use.target.startswith("mnist_seq.")
        and room_of(use.target)
        not in {room_of(name), "__version__", "system", *MAY_IMPORT[room_of(name)]}
    }
    compared(found, OUT_OF_ROOM, "OUT_OF_ROOM")


def test_the_table_has_no_circle() -> None:
    """A room is never reached from a room that it imports."""
    left = dict(MAY_IMPORT)
    while ready := [room for room, others in left.items() if not others & left.keys()]:
        for room in ready:
            del left[room]
    assert not left


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not inside functions and not by strings either: such a circle cannot be read in any order."""
    compared({" ".join(sorted(map(short, group))) for group in circles()}, CIRCLES, "CIRCLES")


def test_a_module_is_named_in_full_or_it_is_a_member() -> None:
    """Else nobody, and no test, sees what is imported."""
    found = set()
    for name in MODULES:
        for node in ast.walk(tree_of(name)):
            if not isinstance(node, ast.Call):
                continue
            if "import_module" not in (
                getattr(node.func, "attr", ""),
                getattr(node.func, "id", ""),
            ):
                continue
            words = ast.unparse(node.args[0])
            folder = re.match(r"f'mnist_seq\.([\w.]+)\.\{", words)
            is_lazy_name = words.startswith("f'{__name__}.") and MODULES[name].stem == "__init__"
            is_of_preload = words == "_name" and "_MODULES" in ast.unparse(tree_of(name))
            is_member = folder is not None and folder[1] in MEMBERS
            if not (isinstance(node.args[0], ast.Constant) or is_member or is_lazy_name
                    or is_of_preload):  # fmt: skip
                found.add(f"{short(name)}: {words}")
    compared(found, DYNAMIC, "DYNAMIC")


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    """About a dozen entries; a folder of members has as many as there are members."""
    entries = Counter(
        module_name(path.parent)
        for path in PACKAGE.rglob("*")
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
        if module_name(path) not in COMMANDS
    )
    found = {short(name) for name, num in entries.items() if num > MAX_ENTRIES}
    compared(found - MEMBERS, CROWDED, "CROWDED")


def test_a_file_is_short() -> None:
    """Under 300 lines: what does not fit is two things."""
    found = {
        short(name) for name, path in MODULES.items() if path.read_text().count("\n") > MAX_LINES
    }
    compared(found, LONG, "LONG")


@pytest.mark.parametrize("name", ["mnist_seq", "mnist_seq.train",
                                  "mnist_seq.config.paths"])  # fmt: skip
def test_nothing_slow_is_imported_on_the_way_to_help(name: str) -> None:
    """Help, --cfg job and tab completion answer at once."""
    body = ast.Module(tree_of(name).body, [])
    top = {alias.name.split(".")[0] for node in body.body if isinstance(node, ast.Import)
           for alias in node.names}  # fmt: skip
    top |= {str(node.module).split(".")[0] for node in body.body
            if isinstance(node, ast.ImportFrom)}  # fmt: skip
    assert not top & SLOW
