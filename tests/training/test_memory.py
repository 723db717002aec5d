"""The memory that this process may still take, by whatever limits it."""

import subprocess
import sys
from pathlib import Path

import pytest

from mnist_seq.training import memory

LIMITED = """
import resource
from pathlib import Path
from mnist_seq.training.memory import available

taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 30),) * 2)
print(available())
"""


@pytest.mark.slow
def test_a_limit_counts_what_is_taken_already() -> None:
    """A stack sized by the whole of it would be killed."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True, timeout=60
    )
    assert 0.9 * 2**30 < int(done.stdout) <= 2**30


def test_a_container_counts_what_is_taken_without_cached_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel drops those before it kills; memory.max may be the word "max"."""
    monkeypatch.setattr(memory, "_CGROUPS", {tmp_path: ("memory.max", "memory.current")})
    (tmp_path / "memory.stat").write_text("anon 700\nactive_file 200\ninactive_file 100\n")
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("5000\n")
    assert memory.available() == 5000 - 700
    (tmp_path / "memory.max").write_text("600\n")
    assert memory.available() == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available() > 10**6


def test_a_job_of_slurm_has_its_own_memory_not_its_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the site has no cgroups, nothing else says it before the job is killed."""
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1")
    assert memory.available() == 0
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")
    assert memory.available() > 10**6
