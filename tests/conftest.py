"""What all tests share: checked shapes, and runs that are small and real."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

from tests import warm

if TYPE_CHECKING:
    from mnist_seq.config import Config
    from mnist_seq.sweep.plan.compose import Composer

# Every annotated shape is checked while the tests run; in use, training pays nothing for it
_HOOK = install_import_hook(
    ["mnist_seq.tasks", "mnist_seq.models", "mnist_seq.stats", "mnist_seq.training"],
    "beartype.beartype",
)

# The same examples each time; others, and more of them: --hypothesis-profile=deep, which prints the
# seed of a failure for --hypothesis-seed
_COMMON = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, **_COMMON)  # type: ignore[arg-type]
settings.register_profile("deep", max_examples=3000, print_blob=True, **_COMMON)  # type: ignore[arg-type]
settings.load_profile("same")

# Commands inherit what this process ignores, as under nohup or in the background of a script
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"

# 4,000 real images, a fifth of a second an epoch
SMALL = ["data=mnist_5k", "model.hidden=16", "training.batch_size=200", "tracker=none"]

Command = Callable[..., subprocess.CompletedProcess[str]]


def clean_env() -> dict[str, str]:
    """This environment without what a user's shell may add to it."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "HYDRA", "MNIST_SEQ"))}
    return {**env, "PYTHONWARNINGS": "error", "COLUMNS": "100"}


def _has_compiler() -> bool:
    from mnist_seq.native.build import Unavailable, find_compiler

    with contextlib.suppress(Unavailable):
        return bool(find_compiler())
    return False


needs_compiler = pytest.mark.skipif(
    not _has_compiler(), reason="needs a C++ compiler; .ci/run installs one"
)


def some(
    cases: Sequence[Any], num: int, others: pytest.MarkDecorator = pytest.mark.slow
) -> list[Any]:
    """Of the cases of one claim, `num` from all over the list; the others are slow, or as said."""
    kept = {len(cases) * i // num for i in range(num)}
    return [
        case if i in kept else pytest.param(*_values(case), marks=others)
        for i, case in enumerate(cases)
    ]


def _values(case: Any) -> tuple[Any, ...]:
    return case if isinstance(case, tuple) else (case,)


@functools.cache
def composer() -> "Composer":
    """Composes many configs that differ little, as a sweep does; tests hold it to Hydra's own."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    from mnist_seq.config.hydra_errors import own_hydra
    from mnist_seq.sweep.plan.compose import Composer

    with own_hydra():  # a test may have Hydra open for something else
        loader = GlobalHydra.instance().config_loader()
        return Composer(loader, loader.load_configuration("train", [], RunMode.MULTIRUN))


def config_of(*words: str) -> "Config":
    """The checked config of some overrides."""
    from mnist_seq.config import parse

    return parse(composer().values(words))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than cores: who waits for a server or a command leaves his own to others."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that waits longest: begun last, it would be waited for."""
    items.sort(key=lambda item: item.path.name != "test_faults.py")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Threads that wait for each other on shared cores take five times as long at this size."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def train(tmp_path: Path) -> Command:
    """Run `python -m mnist_seq.train` with words in a folder of its own, without a terminal."""

    def run(*words: str, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
        done = warm.run(
            [sys.executable, "-m", "mnist_seq.train", *words],
            cwd=tmp_path,
            env=clean_env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            **options,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run
