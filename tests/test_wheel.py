"""The built wheel: what a user gets who never sees the clone."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, SMALL, clean_env

pytestmark = pytest.mark.slow  # builds, with the build tool from the package index


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `pip install .` does, in a clone whose path holds spaces and a quote."""
    clone = tmp_path_factory.mktemp("a clone's path with spaces")
    for name in ("mnist_seq", "hydra_plugins", "conf", "docs/results"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "out"]
    subprocess.run([*build, "."], cwd=clone, check=True, capture_output=True, timeout=300)
    (path,) = clone.glob("out/mnist_seq-*.whl")
    return path


def test_configs_plugins_and_assets_travel_with_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("conf", "mnist_seq", "hydra_plugins"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".yaml", ".css", ".js", ".cpp", ".h"}:
                inside = path.relative_to(ROOT).as_posix()
                assert (f"mnist_seq/{inside}" if folder == "conf" else inside) in names
    for path in (ROOT / "docs" / "results").glob("*.json"):  # what `reproduce list` shows
        assert f"mnist_seq/results/{path.name}" in names


def test_it_sweeps_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """Configs and plugins are found beside the package, not beside the clone."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "mnist_seq.train", "-m", *SMALL, "seed=0,1", "sweep.name=w"],
        cwd=work, env={**clean_env(), "PYTHONPATH": str(site) + os.pathsep},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((work / "outputs" / "sweeps" / "w").glob("*/result.json"))) == 2
    where = subprocess.run(
        [sys.executable, "-c", "import mnist_seq; print(mnist_seq.__file__)"],
        cwd=work, env={**clean_env(), "PYTHONPATH": str(site)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(site))
