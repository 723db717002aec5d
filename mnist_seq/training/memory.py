"""Free memory of this process, and errors that mean "out of memory"."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import torch

from mnist_seq import system

# Texts of plain RuntimeErrors: of torch's CPU allocator, of mmap, and of CUDA libraries that
# allocate by themselves, such as graphs, cuBLAS and cuDNN
_NO_MEMORY = (
    "can't allocate memory",
    "Cannot allocate memory",
    "CUDA error: out of memory",
    "STATUS_ALLOC_FAILED",
)
# Files with the memory limit of a container and its use: cgroup 2, cgroup 1
_CGROUPS = {
    Path("/sys/fs/cgroup"): ("memory.max", "memory.current"),
    Path("/sys/fs/cgroup/memory"): ("memory.limit_in_bytes", "memory.usage_in_bytes"),
}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or an error that led to it, is a failed allocation on any device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY):
        return True
    # The capture of a CUDA graph that runs out of memory raises another error when it ends
    before = error.__cause__ or error.__context__
    return before is not None and is_out_of_memory(before)


def available() -> int:
    """Bytes that this process may still allocate, by its machine, container, job and own limit."""
    return max(0, min(_amounts()))


def _amounts() -> Iterator[int]:
    yield system.free_memory()
    for folder, (most, taken) in _CGROUPS.items():
        with contextlib.suppress(OSError, ValueError, KeyError):  # no such container, or "max"
            yield int((folder / most).read_text(encoding="utf-8")) - _used(folder, taken)
    if of_job := int(os.environ.get("SLURM_MEM_PER_NODE", 0)):  # in MiB; 0: the whole node's
        yield of_job * 2**20 - system.used_memory()


def _used(folder: Path, taken: str) -> int:
    """Memory that a container uses, without cached files, which the kernel drops when needed."""
    lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
    amounts = {name: int(num) for name, num in map(str.split, lines)}
    cached = amounts["active_file"] + amounts["inactive_file"]
    return int((folder / taken).read_text(encoding="utf-8")) - cached
