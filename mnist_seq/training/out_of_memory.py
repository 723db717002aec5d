"""Tells errors that mean "out of memory" from all others."""

import torch

# Texts of plain RuntimeErrors that mean it: from torch's CPU allocator, from mmap, and from CUDA
# libraries that allocate by themselves, such as graphs, cuBLAS and cuDNN
_NO_MEMORY = (
    "can't allocate memory",
    "Cannot allocate memory",
    "CUDA error: out of memory",
    "STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this error, or one that caused it, is a failed allocation on a device or the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY):
        return True
    # a CUDA graph that runs out of memory during capture raises another error afterwards
    before = error.__cause__ or error.__context__
    return before is not None and is_out_of_memory(before)
