"""Finds out how many runs of a stack fit into memory."""

import copy
from dataclasses import replace

import torch

from mnist_seq import system
from mnist_seq.training.batched.errors import TooManyRuns
from mnist_seq.training.batched.stack import Stack
from mnist_seq.training.loop.learner import Learner
from mnist_seq.training.memory import available, is_out_of_memory

MEASURED = 8  # runs of the stack that is measured
RESERVE = 0.15  # share of the free memory that stays free: for others, and for measuring errors


def check_fits(learner: Learner, num_runs: int, *, share: float) -> None:
    """Measure the memory of a few runs, and refuse a stack of more runs than fit.

    Args:
        learner: one of the runs; it is not changed.
        share: of the free memory that the runs may use.

    Raises:
        TooManyRuns: more than fit.
    """
    if num_runs <= MEASURED:
        return
    device = learner.data.device
    before = _reset_peak(device)
    try:
        _measure_step(learner)
    except Exception as error:
        if is_out_of_memory(error):
            raise TooManyRuns(MEASURED // 2) from error
        return  # the stack itself raises the same error, and is handled there
    each = max(_lower_bound(learner), (_peak(device) - before) / MEASURED)
    most = int(free_bytes(device) * share * (1 - RESERVE) / each)
    if most < num_runs:
        raise TooManyRuns(max(1, most))


def _lower_bound(learner: Learner) -> int:
    """Bytes of one run's weights, their gradients and one state of its optimizer.

    A process that had more memory before reuses it, and the measurement shows nothing.
    """
    return 3 * sum(weight.nbytes for weight in learner.model.parameters())


def _measure_step(learner: Learner) -> None:
    copies = [
        replace(
            learner,
            model=copy.deepcopy(learner.model),
            generator=torch.Generator(learner.data.device),
        )
        for _ in range(MEASURED)
    ]
    stack = Stack(copies, [None] * MEASURED)
    batch_size = learner.config.training.batch_size
    order = torch.arange(min(batch_size, learner.data.num_train))
    rates = torch.zeros(1, MEASURED, dtype=torch.float64)
    stack.begin_epoch(learner.data.longest(), order.repeat(MEASURED, 1), rates)
    stack.step(0)
    stack.evaluate("test", limit=learner.config.training.eval_batch_size)


def _reset_peak(device: torch.device) -> int:
    """Reset the peak of the memory use; return the present use."""
    if device.type == "cuda":  # CUDA only
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    system.reset_peak()
    return system.used_memory()


def _peak(device: torch.device) -> int:
    if device.type == "cuda":  # CUDA only
        return torch.cuda.max_memory_allocated(device)
    return system.peak_memory()


def free_bytes(device: torch.device) -> int:
    """Bytes that this process may still allocate."""
    if device.type == "cuda":  # CUDA only
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached  # torch reuses its cache
    return available()
