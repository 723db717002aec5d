import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_seq.tasks.sources.published import SOURCES


def _run(program: str, *paths: Path) -> str:
    """Each import needs an interpreter of its own: a failed one leaves traces."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*paths, Path.cwd())))}
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.slow
def test_torchvision_imports_whether_or_not_its_operators_fit_and_the_sources_are_its_own():
    """One pip line gives a mismatched pair here; also, our mirrors and checksums are copies."""
    program = (
        "from mnist_seq.tasks.sources.torchvision_compat import import_torchvision_datasets\n"
        "datasets = import_torchvision_datasets()\n"
        "assert import_torchvision_datasets() is datasets\n"
        "import torchvision, torchvision.transforms\n"
        "for name in ('MNIST', 'FashionMNIST', 'KMNIST'):\n"
        "    print(getattr(datasets, name).mirrors, getattr(datasets, name).resources)\n"
    )
    expected = [
        f"{list(s.mirrors)} {[(f.name + '.gz', f.archive_md5) for f in s.files]}"
        for s in SOURCES.values()
    ]
    assert _run(program).splitlines() == expected


@pytest.fixture
def stand_in(tmp_path):
    """Write a package that stands in for another torchvision release."""

    def write(init: str) -> Path:
        package = tmp_path / "torchvision"
        package.mkdir()
        (package / "__init__.py").write_text(init)
        (package / "datasets.py").write_text("MNIST = 'mnist'")
        return tmp_path

    return write


IMPORT = (
    "from mnist_seq.tasks.sources.torchvision_compat import import_torchvision_datasets\n"
    "import torch\n"
    "try: print(import_torchvision_datasets().MNIST, hasattr(torch.ops.torchvision, 'nms'))\n"
    "except ImportError as error: print(error)\n"
)


@pytest.mark.slow
def test_a_torchvision_that_works_is_left_alone(stand_in):
    """Defining an operator that its library defines itself would break a sound installation."""
    assert _run(IMPORT, stand_in("")) == "mnist False"


@pytest.mark.slow
def test_operators_are_defined_after_a_failed_import_only(stand_in):
    """The stand-in dies as torchvision 0.26 to 0.29 do; the second import starts afresh."""
    init = (
        "import torch\n"
        "from torchvision import datasets\n"
        "for name in ('nms', 'qnms'):\n"
        "    torch.library.register_fake(f'torchvision::{name}')(lambda *args: None)\n"
    )
    assert _run(IMPORT, stand_in(init)) == "mnist True"


@pytest.mark.parametrize("message", ["CUDA versions differ", "torchvision::other does not exist"])
@pytest.mark.slow
def test_a_torchvision_broken_otherwise_says_what_to_install(stand_in, message):
    """No half-working module is returned."""
    output = _run(IMPORT, stand_in(f"raise RuntimeError({message!r})"))
    assert message in output
    assert "install the torchvision release that belongs to this torch" in output
