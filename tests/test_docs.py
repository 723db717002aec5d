"""The pages name what is there."""

import json
import re
import runpy
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_contributing import EXAMPLES
from tests.test_rooms import MAY_IMPORT, MODULES

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
ADDED = {path for example in EXAMPLES.values() for path in example.files}  # by CONTRIBUTING.md
FOLDERS = "mnist_seq|conf|tests|docs|benchmarks|hydra_plugins|examples"


def ids(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_a_path_that_a_page_names_is_there(page: Path) -> None:
    """A page that names a file of yesterday sends its reader astray."""
    text = page.read_text()
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", text)) - ADDED
    missing = [path for path in named if not (ROOT / path).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_a_link_leads_somewhere(page: Path) -> None:
    """Files, and headings in them."""
    for target in re.findall(r"\]\(([^)#:]*(?:#[^)]*)?)\)", page.read_text()):
        file, _, heading = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), target
        headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE) if heading else []
        assert not heading or heading in [
            re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in headings
        ], target


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_a_module_that_a_page_names_is_there(page: Path) -> None:
    """Also one that a command runs."""
    named = set(re.findall(r"(?<![.\w])(mnist_seq(?:\.[a-z_0-9]+)+)\b", page.read_text()))
    gone = {"mnist_seq.models.padding"} if page.name == "CHANGELOG.md" else set()
    unknown = [name for name in named - gone if not any(m.startswith(name) for m in MODULES)]
    assert not unknown


def test_the_table_of_rooms_is_the_one_that_is_checked() -> None:
    """docs/architecture.md shows what tests/test_rooms.py holds the imports to."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]*) \|$", page, re.MULTILINE)
    shown = {room: set(re.findall(r"`(\w+)`", others)) for room, others in rows}
    assert shown == MAY_IMPORT


def test_the_simulations_that_a_page_shows_are_those_that_were_kept() -> None:
    """Figures and tables of docs/statistics.md follow from benchmarks/looks_results.json."""
    drawn = runpy.run_path(str(ROOT / "benchmarks" / "looks_figures.py"))
    results = json.loads(drawn["RESULTS"].read_text())
    for name, text in drawn["figures"](results).items():
        assert (ROOT / "docs" / "figures" / name).read_text() == text
    page = (ROOT / "docs" / "statistics.md").read_text()
    rows = [*drawn["rate_rows"](results), *drawn["study_rows"](results)]
    assert not [row for row in rows if f"\n{row}\n" not in page]
