"""The rooms of the design: who may import whom."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "mnist_seq"

MAY_IMPORT = {
    "command": {"config", "runs"},
    "train": {"command", "config", "job"},
    "job": {"command", "config", "training", "runs", "tracking"},
    "compare": {
        "command",
        "config",
        "tasks",
        "report",
        "runs",
        "tracking",
    },  # tasks: pictures of contested digits
    "sync": {"command", "config", "runs", "tracking"},
    "notebook": {"compare", "config", "models", "report", "runs", "tracking", "training"},
    "config": set(),
    "tasks": {"config"},
    "models": {"config"},
    "training": {"config", "tasks", "models", "runs"},
    "runs": {"config"},
    "tracking": {"config", "runs"},
    "sweep": {"config", "report", "runs", "training", "stats"},  # report: the last table
    "stats": set(),
    "report": {"config", "stats", "runs"},  # config: what a misspelt key may have meant
}

SLOW = {"torch", "torchvision", "wandb", "pandas", "scipy", "statsmodels", "altair", "matplotlib"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Dotted names that a file imports."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_a_room_imports_only_what_the_design_lists(path: Path) -> None:
    """Imports go one way, so that each room can be read, tested and replaced alone."""
    room = room_of(path)
    if room == "__init__":
        return
    used = {name.split(".")[1] for name in imports(path) if name.startswith("mnist_seq.")}
    assert used - {room, "__version__"} <= MAY_IMPORT[room]


@pytest.mark.parametrize("name", ["__init__.py", "train.py", "job.py", "config/paths.py"])
def test_nothing_slow_is_imported_on_the_way_to_help(name: str) -> None:
    """Help, --cfg job and tab completion answer at once."""
    top = {n.split(".")[0] for n in imports(PACKAGE / name, top_level_only=True)}
    assert not top & SLOW
