"""How many runs of a stack the memory holds."""

import contextlib
import copy
import resource
from dataclasses import replace
from pathlib import Path

import torch

from mnist_seq.training.batched.errors import TooManyRuns
from mnist_seq.training.batched.stack import Stack
from mnist_seq.training.loop.logbook import Learner
from mnist_seq.training.out_of_memory import is_out_of_memory
from mnist_seq.training.preflight.memory import available

MEASURED = 8  # runs of the stack that is tried out
RESERVE = 0.15  # share of the free memory that is left to others, and to what measuring misses


def check_fits(learner: Learner, num_runs: int, *, share: float) -> None:
    """Measure a step and an evaluation of a few runs, and take the others to need as much.

    Args:
        learner: stands for each of the runs, and stays as it is.
        share: of the free memory, that they may take.

    Raises:
        TooManyRuns: more than fit.
    """
    if num_runs <= MEASURED:
        return
    device = learner.data.device
    before = _reset_peak(device)
    try:
        _try_out(learner)
    except Exception as error:
        if is_out_of_memory(error):
            raise TooManyRuns(MEASURED // 2) from error
        return  # the stack itself meets it, and what follows is decided there
    each = max(_least(learner), (_peak(device) - before) / MEASURED)
    most = int(free_bytes(device) * share * (1 - RESERVE) / each)
    if most < num_runs:
        raise TooManyRuns(max(1, most))


def _least(learner: Learner) -> int:
    """Bytes of one run's weights, their gradients and one state of its optimizer.

    A process that held more before needs nothing new for the trial, and would measure nothing.
    """
    return 3 * sum(weight.nbytes for weight in learner.model.parameters())


def _try_out(learner: Learner) -> None:
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
    stack.begin_epoch(0, order.repeat(MEASURED, 1), torch.zeros(1, MEASURED, dtype=torch.float64))
    stack.step(0)
    stack.evaluate("test", limit=learner.config.training.eval_batch_size)


def _reset_peak(device: torch.device) -> int:
    """Forget the most memory that was held so far; return what is held now."""
    if device.type == "cuda":  # runs on CUDA alone
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    with contextlib.suppress(OSError):  # Linux alone; elsewhere the peak of the start is too high
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak(device: torch.device) -> int:
    if device.type == "cuda":  # runs on CUDA alone
        return torch.cuda.max_memory_allocated(device)
    return _status("VmHWM")


def _status(field: str) -> int:
    """Bytes by a field of this process, as Linux tells; elsewhere the most that it has held."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def free_bytes(device: torch.device) -> int:
    """Memory that this process may still take."""
    if device.type == "cuda":  # runs on CUDA alone
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept  # torch gives it to the next tensor
    return available()
