"""Tells errors that mean "out of memory" from all others."""

import torch

# What plain RuntimeErrors say: of torch's CPU allocator, of mmap, and of what asks CUDA by itself,
# such as a graph, cuBLAS or cuDNN
_NO_MEMORY = (
    "can't allocate memory",
    "Cannot allocate memory",
    "CUDA error: out of memory",
    "STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on a device or on the CPU, here or in what led to this."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY):
        return True
    # A CUDA graph whose capture breaks off for want of memory raises another error on its way out
    before = error.__cause__ or error.__context__
    return before is not None and is_out_of_memory(before)
